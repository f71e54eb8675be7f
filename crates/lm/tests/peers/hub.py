"""Logits by transformers, in float32 with eager attention: of folders that are named, and of tiny models written anew.

The one argument is JSON: "tokens", a list of numbers; "read", folders to read; "write", a folder that gets one folder
per model. The answer is JSON on standard output: "read", the logits [tokens][vocab] of each folder in order;
"written", those of each model by its folder's name.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
import transformers  # noqa: E402

# What transformers can write and its release 4 wrote otherwise, on top of the sizes.
TINY = {
    "llama": ("Llama", {"tie_word_embeddings": True}),
    "llama-biased": ("Llama", {"attention_bias": True, "rope_theta": 500000.0}),
    "llama3": (
        "Llama",
        {
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 0.5,
                "high_freq_factor": 3.0,
                "original_max_position_embeddings": 40,
            }
        },
    ),
    "mistral": ("Mistral", {"head_dim": 16}),
    "qwen2": ("Qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"head_dim": 16}),
}


def logits(model, tokens):
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].float().tolist()


def tiny(kind, changes):
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=29,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=80,
        **changes,
    )
    config._attn_implementation = "eager"
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    # Numbers of a size at which every part shows in the logits.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.3)
    return model


def main():
    request = json.loads(sys.argv[1])
    torch.manual_seed(1)
    answer = {"read": [], "written": {}}
    for folder in request.get("read", []):
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
        answer["read"].append(logits(model.eval(), request["tokens"]))
    if "write" in request:
        for name, (kind, changes) in TINY.items():
            model = tiny(kind, changes)
            model.save_pretrained(os.path.join(request["write"], name))
            answer["written"][name] = logits(model, request["tokens"])
    json.dump(answer, sys.stdout)


main()
