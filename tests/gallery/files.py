"""Files as people and attackers bring them."""

from __future__ import annotations

import io
import zlib
from struct import pack

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

# Stands in every place of a file where something can be said.
SECRET = "Sesame Street 123"
SIDE = 48


def saved(picture, kind="PNG", **options):
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return content.getvalue()


def opened(content):
    picture = PillowImage.open(io.BytesIO(content))
    picture.load()
    return picture


def photo(mode="RGB", size=(SIDE, SIDE * 2 // 3)):
    """Smooth, and different in each of its corners."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([x, y, (x + y) / 2], axis=2).astype(np.uint8)
    return PillowImage.fromarray(pixels).convert(mode)


def cut_out():
    """Half of it is not to be seen, and red below."""
    picture = photo("RGBA")
    picture.paste((255, 0, 0, 0), (0, 0, SIDE // 2, picture.height))
    return picture


def moving(kind, **options):
    frames = [photo(), photo().rotate(90)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)


def huge_png():
    """100 megapixels in a few kilobytes."""
    return saved(PillowImage.new("1", (10_000, 10_000)))


def many_scans():
    """A progressive JPEG that goes over itself again and again."""
    whole = saved(photo(), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * 40 + whole[-2:]


def deep_grey():
    """16 bits, from black to white."""
    grey = np.linspace(0, 65535, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint16)
    return saved(PillowImage.fromarray(grey))


def deep_colour():
    """A PNG of 16 bits a channel, which Pillow does not write: half red."""
    row = b"\0" + pack(">3H", 0x8000, 0, 0) * SIDE
    head = pack(">2I5B", SIDE, SIDE, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(row * SIDE)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(body)) + name + body + pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def talkative(kind):
    """A file that says something wherever its kind allows."""
    picture = photo()
    exif = PillowImage.Exif()
    exif[0x010E] = exif[0x013B] = SECRET
    exif.get_ifd(0x8825)[29] = SECRET
    xmp = f"<x:xmpmeta>{SECRET}</x:xmpmeta>".encode()
    profile = swapped_profile() + SECRET.encode()
    options = {"exif": exif, "icc_profile": profile}
    if kind == "PNG":
        text = PngInfo()
        text.add_text("parameters", SECRET)
        text.add_itxt("Comment", SECRET, zip=True)
        return saved(picture, kind, pnginfo=text, **options)
    if kind == "JPEG":
        return saved(picture, kind, comment=SECRET, xmp=xmp, **options)
    return saved(picture, kind, xmp=xmp, **options)


def swapped_profile():
    """A profile in which red is blue: whoever leaves it out shows other colours."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    table = plain[:400].replace(b"rXYZ", b"tmp ").replace(b"bXYZ", b"rXYZ")
    return table.replace(b"tmp ", b"bXYZ") + plain[400:]
