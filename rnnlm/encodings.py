"""Bytes that are no UTF-8 text: other files, told by how they begin, and other encodings, told by their letters.

A guess about an encoding is shown with the text that it makes, so that whoever follows it sees what will be read.
"""

from __future__ import annotations

import codecs
import re
import shlex
import unicodedata
from collections import Counter
from typing import NamedTuple

SAMPLE = 1 << 16  # bytes that a guess looks at
SHOWN = 24  # characters of the text that it makes
FEWEST = 4  # characters beyond ASCII from which anything but Latin letters is told
UNKNOWN = "its encoding cannot be told from its bytes; once you know it: iconv -f ENCODING -t UTF-8"

# --- other kinds of files ------------------------------------------------------------------------------------------

UNPACK = "unpack it and name the text files in it; one text: unzip -p {0} | rnnlm ... -"
UNPACK_ALL = "unpack it and name the text files in it; all: {} {{0}} | rnnlm ... -"
PLAIN = "make a text of it, for example with: pandoc -t plain {0} -o {0}.txt"
NO_TEXT = "name a text file"
MODEL_FIRST = "name a text file; a command that takes a model, too, wants it first"
COMPRESSED = "decompress it and pipe the text in: {} {{0}} | rnnlm ... -"
_ZIPPED = rb"PK\x03\x04(?s:.{26})"  # and then the name of the first file in it
FORMATS = [  # how a file begins, what it is, what to do
    (_ZIPPED + rb"(?:\[Content_Types\]\.xml|_rels/|word/|docProps/)", "an Office document (.docx or the like)", PLAIN),
    (_ZIPPED + rb"mimetypeapplication/epub", "an EPUB book", PLAIN),
    (_ZIPPED + rb"mimetypeapplication/vnd\.oasis", "an OpenDocument file (.odt or the like)", PLAIN),
    (_ZIPPED + rb"[\w/.-]{1,80}\.npy", "an archive of arrays, such as a model", MODEL_FIRST),
    (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", "a zip archive", UNPACK),
    (rb"%PDF-", "a PDF document", "make a text of it, for example with: pdftotext {0} {0}.txt"),
    (rb"\{\\rtf", "an RTF document", PLAIN),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (.doc or the like)", "save it as plain text, UTF-8"),
    (rb"SQLite format 3\0", "an SQLite database", "write a column of it to a text: sqlite3 {0} 'SELECT ...'"),
    (rb"(?s:.{257})ustar[ \0]", "a tar archive", UNPACK_ALL.format("tar -xOf")),
    (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK_ALL.format("7z x -so")),
    (rb"Rar!\x1a\x07", "a RAR archive", "unpack it and name the text files in it"),
    (rb"\x1f\x8b", "gzip-compressed within a compressed file", COMPRESSED.format("zcat")),
    (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "bzip2-compressed within a compressed file", COMPRESSED.format("bzcat")),
    (rb"\xfd7zXZ\0", "xz-compressed within a compressed file", COMPRESSED.format("xzcat")),
    (rb"\x28\xb5\x2f\xfd", "zstd-compressed", COMPRESSED.format("zstdcat")),
    (rb"\x1f[\x9d\xa0]", "compressed by compress", COMPRESSED.format("zcat")),
    (rb"\x04\x22\x4d\x18", "lz4-compressed", COMPRESSED.format("lz4cat")),
    (rb"LZIP[\0\x01]", "lzip-compressed", COMPRESSED.format("lzip -dc")),
    (rb"\x93NUMPY", "an array of NumPy (.npy)", NO_TEXT),
    (rb"\x89HDF\r\n", "an HDF5 file", NO_TEXT),
    (rb"PAR1[\x15\0]", "a Parquet table", "write a column of it to a text"),
    (rb"\x80[\x02-\x05](?:[}\]\x95(c]|\x8a)", "a pickle of Python", NO_TEXT),
    (rb"\x7fELF", "a program", NO_TEXT),
    (rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*", "a picture", NO_TEXT),
    (rb"RIFF(?s:....)(?:WAVE|AVI )|ID3[\x02-\x04]|OggS\0|fLaC\0", "a sound or film", NO_TEXT),
    (rb"RIFF(?s:....)WEBP", "a picture", NO_TEXT),
    (rb"\xc3\xbf\xc3\xbe|\xc3\xbe\xc3\xbf", "UTF-16 that was converted as if it were ISO-8859-1",
     "convert it back: iconv -f UTF-8 -t ISO-8859-1 {0} | iconv -f UTF-16 -t UTF-8"),
]  # fmt: skip


class Kind(NamedTuple):
    """Kind of a file, in a few words, and what to do with it."""

    what: str
    hint: str


def quoted(name: str) -> str:
    """The name of a file in a command that a hint shows; of standard input, FILE."""
    return "FILE" if name.startswith("<") else shlex.quote(name)


def kind_of(begins: bytes, name: str, formats: list[tuple[bytes, str, str]] = FORMATS) -> Kind | None:
    """The kind of a file, one of the formats, by default of those that are no text; None if it is none of them.

    begins: its first bytes, some hundreds. name: of the file, for the hint.
    """
    for pattern, what, hint in formats:
        if re.match(pattern, begins):
            return Kind(what, hint.format(quoted(name)))
    return None


# --- UTF-16 and UTF-32 ---------------------------------------------------------------------------------------------

MARKS = {  # byte order marks; the longer ones first, as one of them begins like another
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip


def marked(begins: bytes) -> str | None:
    """The encoding that a byte order mark stands for: utf-16 or utf-32; None without a mark, or for that of UTF-8."""
    return next((encoding for mark, encoding in MARKS.items() if begins.startswith(mark)), None)


def unmarked(begins: bytes) -> str | None:
    """utf-16-le or utf-16-be, if bytes without a mark can only be that; None otherwise.

    In UTF-16, ASCII characters have a NUL each, before or behind; a text in UTF-8 has NULs at random, if at all.
    """
    begins = begins[:SAMPLE]
    begins = begins[: len(begins) // 2 * 2]
    first, second = begins[::2].count(0), begins[1::2].count(0)
    if first + second < 2 or (first and second) or 2 * (first + second) < 0.05 * len(begins):
        return None
    encoding = "utf-16-le" if second else "utf-16-be"
    text = _decoded(begins, encoding) or ""
    printed = sum(c in "\n\r\t\f" or unicodedata.category(c)[0] in "LMNPSZ" for c in text)
    return encoding if printed >= 0.95 * len(text) and text.strip() else None


# --- other encodings -----------------------------------------------------------------------------------------------


class Encoding(NamedTuple):
    """An encoding, and the characters that are common in what is written in it."""

    codec: str  # Python's name of it
    name: str  # iconv's name of it
    common: str
    least: float  # the share of `common` among the characters beyond ASCII, at least
    latin: bool = False


_SIMPLIFIED = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经"
    "么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知"
    "全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产新己制身果加西斯月话合回特代内信表化老给世位次度门"
    "，。、“”：；？！《》春夏秋冬花山水"
)
_TRADITIONAL = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經"
    "麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情明性知"
    "全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產新己制身果加西斯月話合回特代內信表化老給世位次度門"
    "，。、「」：；？！『』《》春夏秋冬花山水"
)
_KANA = (
    "".join(map(chr, range(0x3041, 0x3094)))
    + "、。ー・「」アイウエオカキクケコサシスセソタチツテトナニノハフマミムメモラリルレロワンドグプッャュョ"
)
_HANGUL = (
    "이다는을의에가하고도지로기사나한인리아를은자서어대해라시수정일전있그들것스상주여장보조부과과만와게면니국원성구"
    "위제유공무세연우신동방안모거오적들며"
)
_RUSSIAN = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэф«»—"
_LATIN = "äöüßÄÖÜéèàùâêîôûçëïÉÈÀÇñáíóúÁÍÓÚ¿¡ãõÃìòåæøÅÆØœ«»“”‘’–—… \u00a0°§€£©"
_CENTRAL = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻčďéěíňřšťúůýžáČŘŠŽÚÁÝöőüűÖŐÜŰÉĺľŕôäăâîşţđ„”“–’…"
_TURKISH = "çğıöşüÇĞİÖŞÜâî’“”"
ENCODINGS = [
    Encoding("gb18030", "GB18030", _SIMPLIFIED, 0.25),
    Encoding("cp950", "BIG5", _TRADITIONAL, 0.25),
    Encoding("cp932", "CP932", _KANA, 0.35),
    Encoding("euc_jp", "EUC-JP", _KANA, 0.35),
    Encoding("cp949", "CP949", _HANGUL, 0.3),
    Encoding("utf-16-le", "UTF-16LE", _SIMPLIFIED + _TRADITIONAL + _KANA + _HANGUL, 0.3),
    Encoding("utf-16-be", "UTF-16BE", _SIMPLIFIED + _TRADITIONAL + _KANA + _HANGUL, 0.3),
    Encoding("cp1251", "CP1251", _RUSSIAN, 0.75),
    Encoding("koi8-r", "KOI8-R", _RUSSIAN, 0.75),
    Encoding("cp866", "CP866", _RUSSIAN, 0.75),
    Encoding("iso8859-5", "ISO-8859-5", _RUSSIAN, 0.75),
    Encoding("cp1253", "CP1253", "αοιετσνηυρπκμλςωάίόέήύώδγχθφβξ", 0.75),
    Encoding("cp1255", "CP1255", "יוהלאמתרשבנםדחפקעכגטצזסןך", 0.8),
    Encoding("cp1256", "CP1256", "اليمنرتوبةدعسفهكقحجذشصطخضزأىإءئثغظ،", 0.8),
    Encoding("cp874", "CP874", "านรกเงมยลวดทสตอ่้ัีิไแคหบปใจขุพำาู็์ะชถซึืโผธ", 0.8),
    Encoding("cp1252", "CP1252", _LATIN, 0.8, True),
    Encoding("cp1250", "CP1250", _CENTRAL, 0.8, True),
    Encoding("iso8859-2", "ISO-8859-2", _CENTRAL, 0.8, True),
    Encoding("cp1254", "CP1254", _TURKISH, 0.8, True),
    Encoding("cp850", "CP850", "äöüßÄÖÜéèàùâêîôûçëïñáíóúåæø", 0.8, True),
    Encoding("mac-roman", "MACINTOSH", _LATIN, 0.8, True),
]


def guess(data: bytes) -> tuple[Encoding, str] | None:
    """The encoding that bytes are most likely in, and the line of text with most letters beyond ASCII that it makes.

    An encoding is likely if it decodes all bytes, and among the characters beyond ASCII are as many of its common ones
    as a text has; of several, the one with most of them. None if none is likely.
    """
    data = data[:SAMPLE]
    found = []
    for encoding in ENCODINGS:
        text = _decoded(data, encoding.codec)
        if text is not None and (share := _share(text, encoding)) >= encoding.least:
            found.append((share / (1 if encoding.least > 0.5 else 0.6), encoding, text))
    if not found:
        return None
    _, encoding, text = max(found, key=lambda one: one[0])  # of equal ones the first
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    return encoding, max(lines, key=lambda line: sum(not c.isascii() for c in line[:SHOWN]))


def _decoded(data: bytes, codec: str) -> str | None:
    """The text that bytes are in an encoding, which may end within a character; None if they are none."""
    try:
        return codecs.getincrementaldecoder(codec)().decode(data)
    except UnicodeDecodeError:
        return None


def _share(text: str, encoding: Encoding) -> float:
    """Share of the common characters of an encoding among all beyond ASCII; 0 if they do not make words.

    A word of Latin letters has ASCII letters as well, another one has none; capitals come first or everywhere, and no
    punctuation is within a word.
    """
    foreign = Counter(character for character in text if not character.isascii())
    total, words = foreign.total(), re.findall(r"[^\W\d_]*[^\W\d_\x00-\x7f][^\W\d_]*", text)
    if any(unicodedata.category(character) in ("Cc", "Cn", "Co", "Cs") for character in foreign):
        return 0.0
    if total < (1 if encoding.latin else FEWEST):
        return 0.0
    with_ascii = sum(bool(re.search("[A-Za-z]", word)) for word in words)
    if with_ascii < 0.5 * len(words) if encoding.latin else with_ascii > 0.1 * len(words):
        return 0.0
    if sum(word in (word.lower(), word.upper(), word.title()) for word in words) < 0.9 * len(words):
        return 0.0
    within = len(re.findall(r"(?<=[^\W\d_])[^\w\s\x00-\x7f’](?=[^\W\d_])", text)) if encoding.latin else 0
    return (sum(foreign[character] for character in set(encoding.common)) - within) / total


def advice(data: bytes, at: int, name: str) -> str:
    """Say what to do with bytes that are not UTF-8: the command that converts them, with the text that it makes.

    at: index of the first byte that is wrong. name: of their file.
    """
    first = data.rfind(b"\n", 0, max(at - SAMPLE // 2, 0)) + 1
    data = data[first : first + SAMPLE]
    text = data.decode(errors="replace")
    whole = sum(not character.isascii() for character in text)
    broken = text.count("\ufffd")
    file = quoted(name)
    if whole - broken >= 5 * broken:
        return f"all but a few bytes are UTF-8; without these: iconv -c -f UTF-8 -t UTF-8 {file}"
    likely = guess(data)
    if likely is None:
        return UNKNOWN
    encoding, line = likely
    shown = line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
    return f"it may be {encoding.name}, as which it begins {shown!r}; if so: iconv -f {encoding.name} -t UTF-8 {file}"
