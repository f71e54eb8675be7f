"""Speaks the synapse protocol with Bittensor SDK 10: its dendrite asks an axon, or its axon serves.

Usage: synapse_10.py ask HOST PORT RECEIVER    one line per question: kind, status, text
       synapse_10.py serve PORT                prints the hotkey when it listens, serves until stdin closes
"""

import asyncio
import sys
import types
from typing import Any, ClassVar, Optional

# The SDK must not look for command lines of its own in ours.
arguments, sys.argv = sys.argv[1:], sys.argv[:1]

import bittensor
from bittensor.core.stream import BTStreamingResponseModel
from bittensor.utils import networking
from bittensor_wallet import Keypair

# A dendrite asks the internet for its own address; a test stays on this machine.
networking.get_external_ip = lambda: "127.0.0.2"


class Ask(bittensor.Synapse):
    required_hash_fields: ClassVar[tuple[str, ...]] = ("prompt", "n")
    prompt: str
    n: int
    answer: Optional[str] = None


class Tell(bittensor.StreamingSynapse):
    required_hash_fields: ClassVar[tuple[str, ...]] = ("prompt", "n")
    prompt: str
    n: int
    answer: Optional[str] = None

    async def process_streaming_response(self, response: Any):
        async for chunk in response.content.iter_any():
            self.answer = (self.answer or "") + chunk.decode()
            yield chunk.decode()

    def extract_response_json(self, response: Any) -> dict:
        return {"prompt": self.prompt, "n": self.n, "answer": self.answer}


def wallet(uri: str) -> Any:
    key = Keypair.create_from_uri(uri)
    return types.SimpleNamespace(hotkey=key, coldkeypub=key, coldkey=key)


async def ask(host: str, port: str, receiver: str) -> None:
    key = wallet("//Alice").hotkey
    dendrite = bittensor.Dendrite(wallet=key)
    target = bittensor.AxonInfo(
        version=1, ip=host, port=int(port), ip_type=4, hotkey=receiver, coldkey=receiver
    )
    question = {"prompt": 'héllo "x"', "n": 3}
    answer = await dendrite.call(target, Ask(**question), timeout=10, deserialize=False)
    print("plain", answer.dendrite.status_code, answer.answer, flush=True)
    pieces = []
    async for piece in dendrite.call_stream(target, Tell(**question), timeout=10, deserialize=False):
        if isinstance(piece, str):
            pieces.append(piece)
        else:
            print("stream", piece.dendrite.status_code, "".join(pieces), flush=True)
    stranger = bittensor.AxonInfo(
        version=1, ip=host, port=int(port), ip_type=4, hotkey=key.ss58_address, coldkey=receiver
    )
    answer = await dendrite.call(stranger, Ask(**question), timeout=10, deserialize=False)
    print("stranger", answer.dendrite.status_code, answer.answer, flush=True)
    await dendrite.aclose_session()


def serve(port: str) -> None:
    def answer(synapse: Ask) -> Ask:
        synapse.answer = f"{synapse.prompt} × {synapse.n}"
        return synapse

    def tell(synapse: Tell) -> Tell.BTStreamingResponse:
        async def pieces(send: Any) -> None:
            for piece in ("one ", "two ", "three"):
                await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})

        return Tell.BTStreamingResponse(BTStreamingResponseModel(token_streamer=pieces), synapse=synapse)

    axon = bittensor.Axon(
        wallet=wallet("//Bob"), port=int(port), ip="127.0.0.1", external_ip="127.0.0.1", external_port=int(port)
    )
    axon.attach(answer).attach(tell)
    axon.start()
    print(wallet("//Bob").hotkey.ss58_address, flush=True)
    sys.stdin.read()
    axon.stop()


if arguments[0] == "ask":
    asyncio.run(ask(*arguments[1:]))
else:
    serve(*arguments[1:])
