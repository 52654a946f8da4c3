"""Serves a tiny language model with llama.cpp: `python llama_server.py FILE` writes the model, serves it and prints its address.

The model is a llama of two layers with random weights. What it says is noise, always printable ASCII; what the server does with it is real.
"""

import sys
import time

import numpy as np
from gguf import GGUFWriter, LlamaFileType, TokenType
from xllamacpp import CommonParams, Server, llama_pooling_type

CONTEXT, WIDTH, INNER, HEADS, LAYERS = 8192, 64, 128, 4, 2
LETTERS = [chr(code) for code in range(ord("!"), ord("~") + 1)]
PUSH = 4.0
"""How strongly the first dimension, the same for all tokens, keeps control and byte tokens from being said."""
TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"


def vocabulary() -> list[tuple[str, TokenType]]:
    control = [("<unk>", TokenType.UNKNOWN), ("<s>", TokenType.CONTROL), ("</s>", TokenType.CONTROL)]
    spelled = [(f"<0x{byte:02X}>", TokenType.BYTE) for byte in range(256)]
    return [*control, *spelled, ("▁", TokenType.NORMAL), *[(letter, TokenType.NORMAL) for letter in LETTERS]]


def write(path: str) -> None:
    tokens = vocabulary()
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    add_weights(writer, tokens)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_weights(writer: GGUFWriter, tokens: list[tuple[str, TokenType]]) -> None:
    random = np.random.default_rng(1)

    def noise(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    heard, said = noise(len(tokens), WIDTH), noise(len(tokens), WIDTH)
    heard[:, 0] = PUSH
    said[:, 0] = [PUSH if kind == TokenType.NORMAL else -PUSH for _, kind in tokens]
    writer.add_tensor("token_embd.weight", heard)
    writer.add_tensor("output.weight", said)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(WIDTH, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", noise(WIDTH, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_gate.weight", noise(INNER, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_up.weight", noise(INNER, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_down.weight", noise(WIDTH, INNER))


def serve(path: str) -> None:
    params = CommonParams()
    params.model.path = path
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.embedding = True
    params.pooling_type = llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.port = 0
    params.cpuparams.n_threads = 1
    server = Server(params)
    sys.stdout.write(f"llama.cpp serves at {server.listening_address}\n")
    sys.stdout.flush()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    write(sys.argv[1])
    serve(sys.argv[1])
