"""How the parts of a scene are called, in English and in Korean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Words = Mapping[str, Sequence[str]]
Side = tuple[str, str]


@dataclass(frozen=True)
class Language:
    """Names of kinds, colours, sizes and sides, the plainest one first."""

    kinds: Words
    colours: Words
    sizes: Words
    sides: Mapping[Side, Sequence[str]]
    remarks: Sequence[str]
    faults: Sequence[str]


ENGLISH = Language(
    kinds={
        "star": ("star",),
        "heart": ("heart", "love heart"),
        "moon": ("moon", "crescent moon", "crescent"),
        "sun": ("sun",),
        "house": ("house", "home"),
        "tree": ("tree", "pine tree", "fir tree"),
        "flower": ("flower", "blossom"),
        "fish": ("fish",),
        "cloud": ("cloud",),
        "boat": ("boat", "sailboat", "sailing boat", "ship"),
        "mushroom": ("mushroom", "toadstool"),
        "cat": ("cat", "cat face", "kitten"),
        "car": ("car", "automobile"),
        "cup": ("cup", "mug", "coffee cup"),
    },
    colours={
        name: (name, f"{name} coloured", f"{name} colored")
        for name in ("red", "orange", "yellow", "green", "blue", "purple", "pink")
    }
    | {
        "brown": ("brown", "brown coloured"),
        "black": ("black", "jet black"),
        "white": ("white", "snow white"),
    },
    sizes={
        "small": ("small", "little", "tiny"),
        "medium": ("medium-sized", "medium", "mid-sized"),
        "large": ("large", "big", "huge"),
    },
    sides={
        ("left", "top"): ("top left", "upper left", "top left corner"),
        ("centre", "top"): ("top", "upper middle", "top centre"),
        ("right", "top"): ("top right", "upper right", "top right corner"),
        ("left", "centre"): ("left", "left side", "left edge", "middle left"),
        ("centre", "centre"): ("centre", "center", "middle"),
        ("right", "centre"): ("right", "right side", "right edge", "middle right"),
        ("left", "bottom"): ("bottom left", "lower left", "bottom left corner"),
        ("centre", "bottom"): ("bottom", "lower middle", "bottom centre"),
        ("right", "bottom"): ("bottom right", "lower right", "bottom right corner"),
    },
    remarks=(
        "simple",
        "flat",
        "minimal",
        "cute",
        "pretty",
        "beautiful",
        "clean lines",
        "high quality",
        "best quality",
        "masterpiece",
        "highly detailed",
        "sharp",
        "icon",
        "logo",
        "vector art",
        "4k",
    ),
    faults=(
        "blurry",
        "low quality",
        "worst quality",
        "bad anatomy",
        "ugly",
        "noise",
        "text",
        "watermark",
        "deformed",
        "jpeg artifacts",
    ),
)

KOREAN = Language(
    kinds={
        "star": ("별", "별 모양"),
        "heart": ("하트", "하트 모양"),
        "moon": ("달", "초승달"),
        "sun": ("해", "태양"),
        "house": ("집", "주택"),
        "tree": ("나무", "소나무", "전나무"),
        "flower": ("꽃", "꽃송이"),
        "fish": ("물고기", "생선"),
        "cloud": ("구름",),
        "boat": ("배", "돛단배", "요트"),
        "mushroom": ("버섯",),
        "cat": ("고양이", "고양이 얼굴", "야옹이"),
        "car": ("자동차", "차", "승용차"),
        "cup": ("컵", "머그컵", "찻잔"),
    },
    colours={
        "red": ("빨간", "빨간색", "붉은", "빨강", "적색"),
        "orange": ("주황", "주황색", "오렌지색", "주황빛"),
        "yellow": ("노란", "노란색", "노랑", "황색"),
        "green": ("초록", "초록색", "녹색", "초록빛"),
        "blue": ("파란", "파란색", "푸른", "파랑", "청색"),
        "purple": ("보라", "보라색", "자주색", "보랏빛"),
        "pink": ("분홍", "분홍색", "핑크", "핑크색", "분홍빛"),
        "brown": ("갈색", "밤색", "고동색"),
        "black": ("검은", "검은색", "검정", "검정색", "까만"),
        "white": ("하얀", "하얀색", "흰", "흰색", "하양"),
    },
    sizes={
        "small": ("작은", "조그만", "자그마한", "아주 작은"),
        "medium": ("중간 크기", "중간 크기의", "보통 크기의"),
        "large": ("큰", "커다란", "아주 큰", "거대한"),
    },
    sides={
        ("left", "top"): ("왼쪽 위", "왼쪽 상단", "좌측 상단", "왼쪽 위 구석"),
        ("centre", "top"): ("위쪽", "상단", "윗부분", "위쪽 가운데"),
        ("right", "top"): ("오른쪽 위", "오른쪽 상단", "우측 상단", "오른쪽 위 구석"),
        ("left", "centre"): ("왼쪽", "좌측", "왼편"),
        ("centre", "centre"): ("가운데", "중앙", "한가운데"),
        ("right", "centre"): ("오른쪽", "우측", "오른편"),
        ("left", "bottom"): ("왼쪽 아래", "왼쪽 하단", "좌측 하단", "왼쪽 아래 구석"),
        ("centre", "bottom"): ("아래쪽", "하단", "아랫부분", "아래쪽 가운데"),
        ("right", "bottom"): (
            "오른쪽 아래",
            "오른쪽 하단",
            "우측 하단",
            "오른쪽 아래 구석",
        ),
    },
    remarks=(
        "단순한",
        "심플한",
        "귀여운",
        "예쁜",
        "아름다운",
        "깔끔한",
        "고화질",
        "고품질",
        "아이콘",
        "로고",
        "선명한",
        "미니멀",
    ),
    faults=("흐릿한", "저화질", "못생긴", "잡음", "글자", "깨진"),
)

LANGUAGES = {"en": ENGLISH, "ko": KOREAN}
