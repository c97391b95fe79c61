"""Checkpoints of all four bases, true in architecture and tiny in width.

Widths keep the head sizes of the true models (64 for the second Stable Diffusion,
SDXL and CLIP, 128 for Flux), so that single files can be told apart and rebuilt.
"""

import json

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    T5Config,
    T5EncoderModel,
)

from tests.workers.engine.vocabularies import clip_tokenizer, t5_tokenizer

NOISE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}


def text_encoder(tokenizer, width, *, kind=CLIPTextModel, act="quick_gelu", layers=2):
    return kind(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            num_attention_heads=width // 64,
            hidden_act=act,
            projection_dim=width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def autoencoder(scaling, channels=4, **more):
    return AutoencoderKL(
        block_out_channels=(32, 32, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=channels,
        scaling_factor=scaling,
        **more,
    )


def sd15(folder):
    tokenizer = clip_tokenizer()
    unet = UNet2DConditionModel(
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=2,
        cross_attention_dim=64,
        attention_head_dim=8,
        sample_size=64,
    )
    StableDiffusionPipeline(
        vae=autoencoder(0.18215),
        text_encoder=text_encoder(tokenizer, 64),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=PNDMScheduler(**NOISE, skip_prk_steps=True, set_alpha_to_one=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def sd21(folder):
    tokenizer = clip_tokenizer()
    unet = UNet2DConditionModel(
        block_out_channels=(64, 64, 128),
        down_block_types=("CrossAttnDownBlock2D",) * 2 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 2,
        layers_per_block=1,
        cross_attention_dim=64,
        attention_head_dim=(1, 1, 2),
        use_linear_projection=True,
        upcast_attention=True,
        sample_size=96,
    )
    StableDiffusionPipeline(
        vae=autoencoder(0.18215),
        text_encoder=text_encoder(tokenizer, 64, act="gelu"),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(
            **NOISE,
            prediction_type="v_prediction",
            clip_sample=False,
            set_alpha_to_one=False,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)


def sdxl(folder):
    first, second = clip_tokenizer(), clip_tokenizer()
    unet = UNet2DConditionModel(
        block_out_channels=(64, 64, 128),
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
        layers_per_block=1,
        cross_attention_dim=64 + 128,
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(1, 1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=128 + 6 * 256,
        sample_size=128,
    )
    StableDiffusionXLPipeline(
        vae=autoencoder(0.13025),
        text_encoder=text_encoder(first, 64),
        text_encoder_2=text_encoder(
            second, 128, kind=CLIPTextModelWithProjection, act="gelu"
        ),
        tokenizer=first,
        tokenizer_2=second,
        unet=unet,
        scheduler=EulerDiscreteScheduler(**NOISE, timestep_spacing="leading"),
        add_watermarker=False,
    ).save_pretrained(folder)
    # As published: a fact for other samplers that Euler itself has no use for.
    path = folder / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text()) | {"set_alpha_to_one": False}
    path.write_text(json.dumps(config))


def flux(folder, *, guided=True):
    first, second = clip_tokenizer(), t5_tokenizer()
    transformer = FluxTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=128,
        num_attention_heads=1,
        joint_attention_dim=32,
        pooled_projection_dim=64,
        guidance_embeds=guided,
        axes_dims_rope=(16, 56, 56),
    )
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=len(second),
            d_model=32,
            d_kv=16,
            d_ff=64,
            num_layers=2,
            num_heads=2,
            feed_forward_proj="gated-gelu",
        )
    )
    shift = {"shift": 3.0, "use_dynamic_shifting": True} if guided else {"shift": 1.0}
    FluxPipeline(
        vae=autoencoder(
            0.3611,
            16,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=text_encoder(first, 64),
        text_encoder_2=t5,
        tokenizer=first,
        tokenizer_2=second,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(**shift),
    ).save_pretrained(folder)


BUILDERS = {"sd15": sd15, "sd21": sd21, "sdxl": sdxl, "flux": flux}


def build(base, folder, **options):
    """Write a diffusers-format folder; the same weights every time."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(7)
        BUILDERS[base](folder, **options)
    return folder
