"""Single-file checkpoints written from folders, in the layouts people publish."""

import re

import torch
from safetensors.torch import load_file, save_file

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION = {
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}


def weights(folder, name):
    (file,) = (folder / name).glob("*.safetensors")
    return load_file(file)


def ldm_unet(tensors):
    layers = 1 + max(
        int(m[1])
        for name in tensors
        if (m := re.match(r"down_blocks\.0\.resnets\.(\d+)", name))
    )
    attentive = {
        m[1] for name in tensors if (m := re.match(r"(up_blocks\.\d+)\.att", name))
    }
    return {
        "model.diffusion_model." + _unet_name(name, layers, attentive): tensor
        for name, tensor in tensors.items()
    }


def _unet_name(name, layers, attentive):
    for ours, theirs in UNET_ENDS.items():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs, 1)
    part, rest = _unet_place(name, layers, attentive)
    if ".resnets." in name:
        layer, kind = rest.rsplit(".", 1)
        rest = f"{RESNET[layer]}.{kind}"
    return f"{part}.{rest}"


def _unet_place(name, layers, attentive):
    direction, tail = name.split("_block", 1)
    if direction == "mid":
        kind, index, rest = tail.lstrip(".").split(".", 2)
        place = 1 if kind == "attentions" else 2 * int(index)
        return f"middle_block.{place}", rest
    level, kind, index, rest = tail.lstrip("s.").split(".", 3)
    level, index = int(level), int(index)
    slot = 1 if kind == "attentions" else 0
    if direction == "down":
        if kind == "downsamplers":
            return f"input_blocks.{(layers + 1) * (level + 1)}.0", _op(rest)
        return f"input_blocks.{(layers + 1) * level + index + 1}.{slot}", rest
    if kind == "upsamplers":
        slot = 2 if f"up_blocks.{level}" in attentive else 1
        return f"output_blocks.{(layers + 1) * level + layers}.{slot}", rest
    return f"output_blocks.{(layers + 1) * level + index}.{slot}", rest


def _op(rest):
    return rest.replace("conv.", "op.", 1)


def ldm_vae(tensors):
    levels = 1 + max(
        int(m[1])
        for name in tensors
        if (m := re.match(r"decoder\.up_blocks\.(\d+)", name))
    )
    converted = {}
    for name, tensor in tensors.items():
        if ".attentions." in name:
            name = _vae_attention(name)
            if tensor.ndim == 2:  # published files hold 1 x 1 convolutions here
                tensor = tensor[:, :, None, None]
        converted["first_stage_model." + _vae_name(name, levels)] = tensor.contiguous()
    return converted


def _vae_attention(name):
    head, tail = name.split(".attentions.0.")
    layer, kind = tail.rsplit(".", 1)
    return f"{head}.attn_1.{VAE_ATTENTION[layer]}.{kind}".replace("mid_block", "mid")


def _vae_name(name, levels):
    name = name.replace("conv_norm_out", "norm_out")
    name = name.replace("conv_shortcut", "nin_shortcut")
    name = re.sub(
        r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name
    )
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)

    def up(match):
        return f"up.{levels - 1 - int(match[1])}."

    name = re.sub(r"up_blocks\.(\d)\.", up, name)
    return name.replace("upsamplers.0", "upsample").replace("resnets", "block")


def plain_text(tensors):
    """Text encoder tensors by the names that published files use."""
    return {
        name
        if name.startswith(("text_model.", "text_pro"))
        else f"text_model.{name}": t
        for name, t in tensors.items()
        if not name.endswith("position_ids")
    }


def clip(tensors, prefix):
    return {prefix + name: tensor for name, tensor in plain_text(tensors).items()}


def open_clip(tensors, prefix, *, extra_layer):
    tensors = plain_text(tensors)
    text = "text_model."
    converted = {
        "token_embedding.weight": tensors[f"{text}embeddings.token_embedding.weight"],
        "positional_embedding": tensors[f"{text}embeddings.position_embedding.weight"],
    }
    for kind in ("weight", "bias"):
        converted[f"ln_final.{kind}"] = tensors[f"{text}final_layer_norm.{kind}"]
    width = converted["positional_embedding"].shape[1]
    projection = tensors.get("text_projection.weight", torch.eye(width))
    converted["text_projection"] = projection.T.contiguous()
    count = 1 + max(int(name.split(".")[3]) for name in tensors if ".layers." in name)
    for layer in range(count):
        block = f"transformer.resblocks.{layer}."
        source = f"{text}encoder.layers.{layer}."
        converted |= _open_clip_block(tensors, source, block)
    if extra_layer:
        block = f"transformer.resblocks.{count}."
        converted |= _open_clip_block(tensors, f"{text}encoder.layers.0.", block)
    return {prefix + name: t.clone() for name, t in converted.items()}


def _open_clip_block(tensors, source, block):
    converted = {}
    for kind in ("weight", "bias"):
        parts = [tensors[f"{source}self_attn.{p}_proj.{kind}"] for p in "qkv"]
        converted[f"{block}attn.in_proj_{kind}"] = torch.cat(parts)
        names = {
            "self_attn.out_proj": "attn.out_proj",
            "layer_norm1": "ln_1",
            "layer_norm2": "ln_2",
            "mlp.fc1": "mlp.c_fc",
            "mlp.fc2": "mlp.c_proj",
        }
        for ours, theirs in names.items():
            converted[f"{block}{theirs}.{kind}"] = tensors[f"{source}{ours}.{kind}"]
    return converted


def stable_diffusion(base, folder, target):
    tensors = ldm_unet(weights(folder, "unet")) | ldm_vae(weights(folder, "vae"))
    first = weights(folder, "text_encoder")
    if base == "sd15":
        tensors |= clip(first, "cond_stage_model.transformer.")
    elif base == "sd21":
        tensors |= open_clip(first, "cond_stage_model.model.", extra_layer=True)
    else:
        second = weights(folder, "text_encoder_2")
        tensors |= clip(first, "conditioner.embedders.0.transformer.")
        tensors |= open_clip(
            second, "conditioner.embedders.1.model.", extra_layer=False
        )
    save_file(tensors, target, metadata=_metadata(base))
    return target


def _metadata(base):
    return {"modelspec.prediction_type": "v"} if base == "sd21" else None


def flux_diffusers(folder, target):
    save_file(weights(folder, "transformer"), target)
    return target


FLUX_ENDS = {
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "context_embedder": "txt_in",
    "x_embedder": "img_in",
    "proj_out": "final_layer.linear",
}
FLUX_DOUBLE = {
    "norm1.linear": "img_mod.lin",
    "norm1_context.linear": "txt_mod.lin",
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "ff.net.0.proj": "img_mlp.0",
    "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0",
    "ff_context.net.2": "txt_mlp.2",
}


def flux_bfl(folder, target, prefix=""):
    """Black Forest Labs' layout, with queries, keys and values fused."""
    ours = weights(folder, "transformer")
    theirs = {}
    for kind in ("weight", "bias"):
        for name, other in FLUX_ENDS.items():
            if f"{name}.{kind}" in ours:
                theirs[f"{other}.{kind}"] = ours[f"{name}.{kind}"]
        scale, shift = ours[f"norm_out.linear.{kind}"].chunk(2)
        theirs[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])
        for layer in range(2):
            theirs |= _flux_double(ours, layer, kind)
            theirs |= _flux_single(ours, layer, kind)
    save_file({f"{prefix}{name}": tensor for name, tensor in theirs.items()}, target)
    return target


def _flux_double(ours, layer, kind):
    source, block = f"transformer_blocks.{layer}.", f"double_blocks.{layer}."
    theirs = {
        f"{block}{other}.{kind}": ours[f"{source}{name}.{kind}"]
        for name, other in FLUX_DOUBLE.items()
    }
    fused = {"img": ("to_q", "to_k", "to_v"), "txt": ()}
    fused["txt"] = ("add_q_proj", "add_k_proj", "add_v_proj")
    for stream, names in fused.items():
        parts = [ours[f"{source}attn.{name}.{kind}"] for name in names]
        theirs[f"{block}{stream}_attn.qkv.{kind}"] = torch.cat(parts)
    if kind == "weight":
        for stream, added in (("img", ""), ("txt", "added_")):
            for short, long in (("q", "query"), ("k", "key")):
                theirs[f"{block}{stream}_attn.norm.{long}_norm.scale"] = ours[
                    f"{source}attn.norm_{added}{short}.weight"
                ]
    return theirs


def _flux_single(ours, layer, kind):
    source, block = f"single_transformer_blocks.{layer}.", f"single_blocks.{layer}."
    names = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
    theirs = {
        f"{block}modulation.lin.{kind}": ours[f"{source}norm.linear.{kind}"],
        f"{block}linear2.{kind}": ours[f"{source}proj_out.{kind}"],
        f"{block}linear1.{kind}": torch.cat(
            [ours[f"{source}{name}.{kind}"] for name in names]
        ),
    }
    if kind == "weight":
        for short, long in (("q", "query"), ("k", "key")):
            theirs[f"{block}norm.{long}_norm.scale"] = ours[
                f"{source}attn.norm_{short}.weight"
            ]
    return theirs
