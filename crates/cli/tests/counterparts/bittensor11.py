"""What bittensor 11.3.0 can do on the chain at URL, whose rules are older than it, for the test `counterparts`.

    python bittensor11.py URL WALLETS

WALLETS holds the wallets `alice` and `bob`, whose coldkeys are //Alice and //Bob. Subnet 2 is //Alice's, and //Bob is
registered there. What the SDK reads in the end is printed as JSON, with the reads that the chain can't answer.
"""

import json
import sys

import bittensor
from bittensor import calls
from bittensor.reads.base import REGISTRY
from bittensor.wallet import Wallet

NETUID = 2
TAO = 10**9

url, wallets = sys.argv[1:]
chain = bittensor.SyncClient(url, fallback_endpoints=[], archive_endpoints=[])
chain.connect()
alice, bob = (Wallet(name=name, hotkey="default", path=wallets) for name in ("alice", "bob"))
cold, hot = bob.coldkeypub.ss58_address, bob.hotkey.ss58_address


def done(what, result):
    assert result.success, (what, result)
    return result


def same(what, found, expected):
    assert found == expected, (what, found, expected)


def unanswered(read, **arguments):
    try:
        read(**arguments)
    except Exception as error:
        return str(error)
    raise AssertionError((read, arguments))


# Money, a subnet of its own, stake, serving, a commitment.
done("transfer", chain.execute(bittensor.Transfer(dest_ss58=cold, amount_tao=3), alice))
done("register_subnet", chain.execute(bittensor.RegisterSubnet(), alice))
done("start_call", chain.execute(bittensor.StartCall(netuid=3), alice))
stake = dict(hotkey_ss58=hot, netuid=NETUID, slippage_protection=False)
done("add_stake", chain.execute(bittensor.AddStake(amount_tao=1, **stake), bob))
staked = chain.read("stake", coldkey_ss58=cold, hotkey_ss58=hot, netuid=NETUID).rao
assert staked > 0
done("remove_stake", chain.execute(bittensor.RemoveStake(amount_alpha=staked / 4 / TAO, **stake), bob))
done("serve_axon", chain.execute(bittensor.ServeAxon(netuid=NETUID, ip="10.0.0.9", port=8092), bob))
info = {"fields": [[{"Raw8": "0x" + b"model:v2".hex()}]]}
done("set_commitment",
     chain.submit_call(calls.Commitments.set_commitment(netuid=NETUID, info=info), bob, signer="hotkey"))

# What needs facts of later runtimes: register, set and commit to weights.
missing = {
    "burned_register": unanswered(chain.execute, intent=bittensor.BurnedRegister(netuid=NETUID), wallet=alice),
    "set_weights": unanswered(
        chain.execute, intent=bittensor.SetWeights(netuid=NETUID, uids=[0, 1], weights=[0.5, 0.5]), wallet=alice),
    "commit_weights": unanswered(
        chain.execute, intent=bittensor.CommitWeights(netuid=NETUID, uids=[0, 1], weights=[0.5, 0.5]), wallet=alice),
}

# All its reads.
given = {"netuid": NETUID, "mechid": 0, "uid": 0, "coldkey_ss58": cold, "hotkey_ss58": hot, "address_ss58": cold,
         "coldkey_ss58s": [cold], "hotkey_ss58s": [hot], "netuids": [NETUID], "amount_tao": 1, "amount_alpha": 0.001,
         "account_ss58": cold, "block": 1, "call_hash": "0x" + "00" * 32, "crowdloan_id": 0, "lease_id": 0, "lite": False}
answered = 0
for name, read in sorted(REGISTRY.items()):
    try:
        chain.read(name, **{parameter: given[parameter] for parameter in read.params})
        answered += 1
    except Exception as error:
        missing[f"read {name}"] = f"{type(error).__name__}: {error}"

neurons = chain.read("neurons", netuid=NETUID, lite=False)
print(json.dumps({
    "block": chain.block,
    "answered": answered,
    "missing": missing,
    "balance": chain.read("balance", coldkey_ss58=cold).rao,
    "stake": chain.read("stake", coldkey_ss58=cold, hotkey_ss58=hot, netuid=NETUID).rao,
    "burn": chain.read("burn", netuid=NETUID).rao,
    "commitment": chain.read("commitment", netuid=NETUID, hotkey_ss58=hot).data,
    "settings": {name: value for name, value in chain.read("subnet_hyperparameters", netuid=NETUID).items()
                 if name in ("tempo", "kappa", "immunity_period", "min_burn", "max_burn")},
    "neurons": [
        {
            "uid": neuron.uid,
            "hotkey": neuron.hotkey,
            "coldkey": neuron.coldkey,
            "active": neuron.active,
            "validator_permit": neuron.validator_permit,
            "last_update": [neuron.last_update],
            "alpha_stake": neuron.total_stake.rao,
        }
        for neuron in neurons
    ],
}))
chain.close()
