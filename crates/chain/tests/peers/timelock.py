"""The SDKs' timelock encryption, for the test `it::peers`; with `record`, what stands in `fixtures/timelock.json`.

bittensor 10.5.0 brings it as `bittensor_drand`, 11.3.0 as `bittensor_core`. No network is needed.
"""

import json
import sys
import time

try:
    import bittensor_drand as sdk
except ImportError:
    import bittensor_core as sdk

GENESIS_S, PERIOD_S = 1_692_803_367, 3
HOTKEY = bytes([7] * 32)
SECURITY_BLOCKS = 3


def inner(envelope):
    """The ciphertext in an envelope: a SCALE vector, before the round in eight bytes."""
    width = {0: 1, 1: 2, 2: 4}[envelope[0] & 3]
    return bytes(envelope)[width:-8]


def compact(length):
    """The length of a SCALE vector, as long as it is below 2^14."""
    return bytes([length << 2]) if length < 64 else (length << 2 | 1).to_bytes(2, "little")


def commit(schedule, block_time_s, uids=(1, 2, 3), weights=(10, 20, 65535)):
    period = schedule.pop("reveal_period_epochs")
    return sdk.get_encrypted_commit_v2(
        uids=list(uids),
        weights=list(weights),
        version_key=1005,
        subnet_reveal_period_epochs=period,
        block_time=block_time_s,
        hotkey=HOTKEY,
        **schedule,
    )


def weights_for(wanted):
    """A commitment to weights for a round that is long past: blocks that run backwards lead there."""
    schedule = dict(
        last_epoch_block=100,
        pending_epoch_at=0,
        subnet_epoch_index=5,
        tempo=50,
        blocks_since_last_step=20,
        current_block=120,
        reveal_period_epochs=1,
    )
    blocks = 150 + SECURITY_BLOCKS - 120
    target = GENESIS_S + (wanted + 0.5) * PERIOD_S
    ciphertext, found = commit(schedule, (target - time.time()) / blocks)
    assert found == wanted, (found, wanted)
    return bytes(ciphertext)


def sealed(rounds):
    for reveal_round in rounds:
        for payload in (b"", b"hello", bytes(range(256)) * 18):
            yield reveal_round, payload.hex(), inner(sdk.encrypt_at_round(payload, reveal_round)[0]).hex()
        yield reveal_round, "weights", weights_for(reveal_round).hex()


def main():
    order = sys.argv[1]
    if order == "encrypt":
        for line in sealed(map(int, sys.argv[2:])):
            print(*line, sep="|")
    elif order == "record":
        lines = [dict(zip(("round", "payload", "ciphertext"), line)) for line in sealed([1000, 657413])]
        print(json.dumps([line for line in lines if len(line["payload"]) < 1000], indent=1))
    elif order == "decrypt":
        for line in sys.stdin:
            reveal_round, signature, ciphertext = line.split()
            ciphertext = bytes.fromhex(ciphertext)
            envelope = compact(len(ciphertext)) + ciphertext + int(reveal_round).to_bytes(8, "little")
            try:
                print("opened", bytes(sdk.decrypt_with_signature(envelope, signature)).hex())
            except BaseException:  # a panic of theirs is no Exception
                print("closed")
    elif order == "rounds":
        for line in sys.stdin:
            schedule = json.loads(line)
            block_time_s = schedule.pop("block_time_ms") / 1000
            before = time.time()
            try:
                reveal_round = commit(schedule, block_time_s, [1], [1])[1]
            except ValueError:
                reveal_round = None
            print(json.dumps([int(before * 1000), reveal_round, int(time.time() * 1000)]))


main()
