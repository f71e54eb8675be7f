"""Weights of bittensor 11.3.0 under the rules of its own time, for the test `counterparts`.

    python bittensor11_weights.py URL WALLETS

WALLETS holds the wallets `alice` and `bob`, whose coldkeys are //Alice and //Bob. Subnet 2 is //Alice's, and //Bob is
registered there. What became of it is printed as JSON.
"""

import json
import sys
import urllib.request

import bittensor
from bittensor import calls
from bittensor.wallet import Wallet

NETUID = 2

url, wallets = sys.argv[1:]
chain = bittensor.SyncClient(url, fallback_endpoints=[], archive_endpoints=[])
chain.connect()
alice, bob = (Wallet(name=name, hotkey="default", path=wallets) for name in ("alice", "bob"))


def done(what, result):
    assert result.success, (what, result)
    return result


def admin(call):
    """Sent as the subnet's owner."""
    return done(call, chain.submit_call(call, alice, signer="coldkey"))


def mine(count):
    """Makes empty blocks: weights may be set every 100."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "dev_newBlock", "params": [{"count": count}]}
    request = urllib.request.Request(
        url.replace("ws://", "http://"), json.dumps(body).encode(), {"Content-Type": "application/json"})
    assert "result" in json.load(urllib.request.urlopen(request))


def missing(intent, wallet):
    try:
        result = chain.execute(intent=intent, wallet=wallet)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None if result.success else str(result)


told = {}
admin(calls.AdminUtils.sudo_set_commit_reveal_weights_enabled(netuid=NETUID, enabled=False))
mine(100)
told["set_weights"] = missing(bittensor.SetWeights(netuid=NETUID, uids=[0, 1], weights=[0.5, 0.5]), alice)
told["weights"] = chain.read("weights", netuid=NETUID)
admin(calls.AdminUtils.sudo_set_commit_reveal_weights_enabled(netuid=NETUID, enabled=True))
mine(100)
told["commit_weights"] = missing(bittensor.CommitWeights(netuid=NETUID, uids=[0, 1], weights=[0.25, 0.75]), alice)
mine(100)
told["timelocked"] = missing(bittensor.SetWeights(netuid=NETUID, uids=[0, 1], weights=[0.25, 0.75]), alice)
told["burned_register"] = missing(bittensor.BurnedRegister(netuid=NETUID), alice)
told["stored"] = chain.read("timelocked_weight_commits", netuid=NETUID)
print(json.dumps(told, default=str))
chain.close()
