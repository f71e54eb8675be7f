"""A subnet's life, lived with bittensor 10.5.0 on the chain at URL, for the test `counterparts`.

    python bittensor10.py URL WALLETS

WALLETS holds the wallets `alice` and `bob`, whose coldkeys are //Alice and //Bob. The chain makes a block for each extrinsic.
What the SDK reads in the end is printed as JSON, in the words and units of `weigh subnet show --json` and its kin.
"""

import json
import sys
import time

import bittensor
from bittensor.utils.balance import Balance
from bittensor_drand import get_encrypted_commit_v2
from bittensor_wallet import Keypair, Wallet

# Round 1000 of drand's quicknet, as its interface gives it.
PULSE = (
    1000,
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
)
QUICKNET_GENESIS_S, QUICKNET_PERIOD_S = 1_692_803_367, 3
TEMPO = 20
TAO = 10**9

url, wallets = sys.argv[1:]
chain = bittensor.Subtensor(url)
alice, bob = (Wallet(name=name, hotkey="default", path=wallets) for name in ("alice", "bob"))
alice_hot, bob_hot = alice.hotkey.ss58_address, bob.hotkey.ss58_address


def developer(method, *params):
    answer = chain.substrate.rpc_request(method, list(params))
    assert "result" in answer, (method, answer)


def mine(blocks):
    developer("dev_newBlock", {"count": blocks})


def done(what, response):
    assert response.success, (what, response.message, response.error)
    return response


def refused(what, response):
    assert not response.success, what


def same(what, found, expected):
    assert found == expected, (what, found, expected)


def mine_to_epoch(netuid):
    """The head becomes the block in which the next epoch runs."""
    before = chain.get_subnet_epoch_index(netuid)
    mine(chain.get_next_epoch_start_block(netuid) - chain.block)
    same("an epoch ran", chain.get_subnet_epoch_index(netuid), before + 1)


def weights(netuid):
    return {str(uid): [list(pair) for pair in row] for uid, row in chain.weights(netuid)}


def block_time_to(round_, netuid):
    """The time between blocks with which the SDK, which reads the clock, locks weights until a round that is long past."""
    state = chain.get_epoch_schedule_state(netuid)
    schedule = {name: getattr(state, name) for name in ("last_epoch_block", "pending_epoch_at", "subnet_epoch_index",
                                                         "tempo", "blocks_since_last_step", "current_block")}
    locked = lambda block_time: get_encrypted_commit_v2(
        uids=[0], weights=[1], version_key=0, subnet_reveal_period_epochs=1, block_time=block_time,
        hotkey=alice.hotkey.public_key, **schedule)[1]
    blocks = round((locked(3000.0) - locked(0.0)) * QUICKNET_PERIOD_S / 3000)
    return (QUICKNET_GENESIS_S + (round_ + 0.5) * QUICKNET_PERIOD_S - time.time()) / blocks


# Money.
same("block", chain.block, 0)
poor = Keypair.create_from_uri("//counterparts//poor").ss58_address
done("transfer", chain.transfer(alice, poor, Balance.from_tao(3)))
same("balance", chain.get_balance(poor).rao, 3 * TAO)
refused("transfer of what there is not", chain.transfer(bob, poor, Balance.from_tao(10_000_000)))

# A subnet with two neurons.
before = set(chain.get_all_subnets_netuid())
done("register_subnet", chain.register_subnet(alice))
(netuid,) = set(chain.get_all_subnets_netuid()) - before
done("start_call", chain.start_call(alice, netuid))
done("burned_register", chain.burned_register(bob, netuid))
same("uid", chain.get_uid_for_hotkey_on_subnet(bob_hot, netuid), 1)
developer("weigh_setHyperparameter", netuid, "tempo", TEMPO)
developer("weigh_setHyperparameter", netuid, "weights_set_rate_limit", 0)

# Stake.
done("add_stake", chain.add_stake(alice, netuid, alice_hot, Balance.from_tao(100)))
done("add_stake, safely",
     chain.add_stake(bob, netuid, bob_hot, Balance.from_tao(2), safe_staking=True, rate_tolerance=0.5))
refused("add_stake, too dear",
        chain.add_stake(bob, netuid, bob_hot, Balance.from_tao(50), safe_staking=True, rate_tolerance=0.0001))
staked = chain.get_stake(bob.coldkeypub.ss58_address, bob_hot, netuid).rao
assert staked > 0
done("unstake", chain.unstake(bob, netuid, bob_hot, Balance.from_rao(staked // 4, netuid)))
left = chain.get_stake(bob.coldkeypub.ss58_address, bob_hot, netuid).rao
assert abs(left - (staked - staked // 4)) <= 1, (staked, left)
same("claim type", chain.get_root_claim_type(bob.coldkeypub.ss58_address), "Swap")
availability = chain.get_stake_availability_for_coldkeys([bob.coldkeypub.ss58_address], [netuid])
(free,) = dict(availability).values()
same("availability", {k: int(v) for k, v in dict(dict(free)[netuid]).items()},
     {"total": left, "locked": 0, "available": left})

# Where it serves, and what it commits to.
done("serve_axon",
     chain.serve_axon(netuid, bittensor.Axon(wallet=bob, port=8091, external_ip="10.0.0.7", ip="127.0.0.1")))
done("set_commitment", chain.set_commitment(bob, netuid, "model:v1"))
same("commitment", chain.get_commitment(netuid, 1), "model:v1")
same("commitments", chain.get_all_commitments(netuid), {bob_hot: "model:v1"})

# Weights in the clear.
mine_to_epoch(netuid)
done("set_weights", chain.set_weights(alice, netuid, uids=[0, 1], weights=[0.25, 0.75]))
same("weights", weights(netuid), {"0": [[0, 21845], [1, 65535]]})

# By a hash.
developer("weigh_setHyperparameter", netuid, "commit_reveal_weights_enabled", True)
salt = [1, 2, 3, 4, 5, 6, 7, 8]
opened = dict(netuid=netuid, salt=salt, uids=[0, 1], weights=[32768, 65535])
done("commit_weights", chain.commit_weights(alice, **opened, wait_for_inclusion=True))
refused("reveal_weights, too early", chain.reveal_weights(alice, **opened, max_attempts=1))
mine_to_epoch(netuid)
refused("reveal_weights, others", chain.reveal_weights(alice, **{**opened, "weights": [65535, 32768]}, max_attempts=1))
done("reveal_weights", chain.reveal_weights(alice, **opened))
same("weights that were revealed", weights(netuid), {"0": [[0, 32768], [1, 65535]]})

# Locked until a pulse of drand.
done("set_weights, locked", chain.set_weights(alice, netuid, uids=[0, 1], weights=[0.1, 0.2]))
far = chain.get_timelocked_weight_commits(netuid)
same("commits", [commit[0] for commit in far], [alice_hot])
assert far[0][3] > 30_000_000, "the round is one to come"
# The SDK reads the clock once more: where the machine was slow in between, it is asked again.
for attempt in range(1, 7):
    mine(1)  # It holds weights back in the block of the last ones.
    response = done("set_weights, locked until a round of the past", chain.set_weights(
        alice, netuid, uids=[0, 1], weights=[0.5, 0.1], block_time=block_time_to(PULSE[0], netuid)))
    if response.data["reveal_round"] == PULSE[0]:
        break
same("round", response.data["reveal_round"], PULSE[0])
same("commits", len(chain.get_timelocked_weight_commits(netuid)), 1 + attempt)
mine_to_epoch(netuid)
mine(1)
same("weights before the pulse", weights(netuid), {"0": [[0, 32768], [1, 65535]]})
developer("weigh_writePulse", *PULSE)
same("newest round", chain.last_drand_round(), PULSE[0])
mine(1)
same("weights after the pulse", weights(netuid), {"0": [[0, 65535], [1, 13107]]})

# Two epochs later.
developer("weigh_setHyperparameter", netuid, "commit_reveal_weights_enabled", False)
done("set_weights", chain.set_weights(bob, netuid, uids=[0, 1], weights=[0.5, 0.5]))
mine_to_epoch(netuid)
mine_to_epoch(netuid)
lite, full = chain.metagraph(netuid), chain.metagraph(netuid, lite=False)
info = chain.get_metagraph_info(netuid)
settings = chain.get_subnet_hyperparameters(netuid)
shares = lambda values: [round(float(value) * 65535) for value in values]
for name in ("I", "D", "C", "Tv", "E", "S", "active", "validator_permit", "last_update"):
    same(name, getattr(lite, name).tolist(), getattr(full, name).tolist())
same("incentive", shares(full.I), shares(info.incentives))
same("dividends", shares(full.D), shares(info.dividends))
same("axons", [(axon.ip, axon.port) for axon in full.axons], [("0.0.0.0", 0), ("10.0.0.7", 8091)])
assert sum(full.I) > 0 and sum(full.D) > 0 and info.emission[1].rao > 0
neurons = [
    {
        "uid": uid,
        "hotkey": info.hotkeys[uid],
        "coldkey": info.coldkeys[uid],
        "registered_at": info.block_at_registration[uid],
        "alpha_stake": info.alpha_stake[uid].rao,
        "tao_stake": info.tao_stake[uid].rao,
        "validator_permit": info.validator_permit[uid],
        "active": info.active[uid],
        "last_update": [info.last_update[uid]],
        "emission": info.emission[uid].rao,
        "incentive": [shares(info.incentives)[uid]],
        "dividends": shares(info.dividends)[uid],
        "consensus": shares(info.consensus)[uid],
        "validator_trust": shares(full.Tv.tolist())[uid],
    }
    for uid in range(info.num_uids)
]
print(json.dumps({
    "netuid": netuid,
    "block": chain.block,
    "balances": {name: chain.get_balance(wallet.coldkeypub.ss58_address).rao
                 for name, wallet in (("alice", alice), ("bob", bob))},
    "subnets": chain.get_all_subnets_netuid(),
    "owner": info.owner_coldkey,
    "burn": chain.recycle(netuid).rao,
    "neurons": neurons,
    "stakes": {name: sorted([stake.hotkey_ss58, stake.netuid, stake.stake.rao]
                            for stake in chain.get_stake_info_for_coldkey(wallet.coldkeypub.ss58_address))
               for name, wallet in (("alice", alice), ("bob", bob))},
    "weights": weights(netuid),
    "commitments": chain.get_all_commitments(netuid),
    "next_epoch": chain.get_next_epoch_start_block(netuid),
    "hyperparameters": {
        "kappa": settings.kappa,
        "immunity_period": settings.immunity_period,
        "min_allowed_weights": settings.min_allowed_weights,
        "tempo": settings.tempo,
        "weights_version_key": settings.weights_version,
        "weights_set_rate_limit": settings.weights_rate_limit,
        "network_registration_allowed": settings.registration_allowed,
        "min_burn": settings.min_burn,
        "max_burn": settings.max_burn,
        "bonds_moving_average": settings.bonds_moving_avg,
        "serving_rate_limit": settings.serving_rate_limit,
        "max_allowed_validators": settings.max_validators,
        "reveal_period_epochs": settings.commit_reveal_period,
        "commit_reveal_weights_enabled": settings.commit_reveal_weights_enabled,
        "alpha_values": [settings.alpha_low, settings.alpha_high],
        "liquid_alpha_enabled": settings.liquid_alpha_enabled,
        "activity_cutoff_factor_milli": settings.activity_cutoff_factor,
    },
}))
