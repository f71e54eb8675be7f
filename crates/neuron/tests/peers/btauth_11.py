"""Speaks btauth/1 with Bittensor SDK 11: signs requests to an axon, and verifies a request that it is given.

Usage: btauth_11.py ask HOST PORT RECEIVER     one line per scheme: scheme, status, body
       btauth_11.py verify US                  prints ready, then reads {method, path, headers, body} as JSON lines
                                               and writes for each the sender, or the name of the refusal
"""

import http.client
import json
import sys

from bittensor import http_auth
from bittensor.sp_core import CRYPTO_ED25519, CRYPTO_SR25519, Keypair


def ask(host: str, port: str, receiver: str) -> None:
    body = '{"prompt": "grüß"}'.encode()
    for name, scheme in (("sr25519", CRYPTO_SR25519), ("ed25519", CRYPTO_ED25519)):
        key = Keypair.create_from_uri("//Alice", scheme)
        path = "/echo?stream=false&q=%20x"
        headers = http_auth.sign(key, method="POST", path=path, body=body, receiver_ss58=receiver)
        for _ in range(2):
            connection = http.client.HTTPConnection(host, int(port), timeout=10)
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            print(name, answer.status, answer.read().decode(), flush=True)
            connection.close()


def verify(us: str) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            caller = http_auth.verify(
                request["headers"],
                request["body"].encode(),
                method=request["method"],
                path=request["path"],
                self_hotkey_ss58=us,
            )
            print(caller.hotkey_ss58, flush=True)
        except http_auth.AuthError as refusal:
            print(type(refusal).__name__, flush=True)


if sys.argv[1] == "ask":
    ask(*sys.argv[2:])
else:
    verify(*sys.argv[2:])
