"""Guesses about bytes that are not UTF-8: right for many languages, silent for noise."""

import gzip
import io
import random
import tarfile
import zipfile

import pytest

from rnnlm.encodings import UNKNOWN, advice, guess, kind_of, marked, unmarked

TEXTS = {
    "gbk gb18030 utf-16-le utf-16-be": "他说我们这个国家的人在这里生活了很多年，大家都知道这件事情。",
    "big5 utf-16-le": "他說我們這個國家的人在這裡生活了很多年，大家都知道這件事情。",
    "shift_jis cp932 euc_jp utf-16-be": "これはとても小さな猫です。名前はまだありません。",
    "euc_kr cp949": "나는 학교에 갑니다. 그는 집에서 책을 읽고 있다.",
    "cp1251 koi8-r cp866 iso8859-5": "Мы живём в большом доме, и у нас есть собака.",
    "cp1253 iso8859-7": "Το σπίτι μας είναι μεγάλο και έχουμε έναν σκύλο.",
    "cp1255 iso8859-8": "הבית שלנו גדול ויש לנו כלב",
    "cp1256": "بيتنا كبير ولدينا كلب صغير في الحديقة",
    "cp874": "บ้านของเราใหญ่และเรามีสุนัขตัวหนึ่ง",
    "latin-1 cp1252 cp850 mac-roman": "Cette forêt est très âgée; à l'été, le château paraît désert. Où est le garçon?",
    "latin-1 cp1252": "Não há razão para a educação não ser boa. São três irmãos.",
    "iso8859-1 mac-roman cp850": "Die größten Bäume können hübsche Äpfel tragen.",
    "cp1250 iso8859-2": "Żółw idzie przez łąkę, a święto będzie później.",
    "cp1254 iso8859-9": "Işık bugün çok güçlü, İstanbul'da çiçekler açtı.",
}


@pytest.mark.parametrize(("codec", "text"), [(c, text) for codecs, text in TEXTS.items() for c in codecs.split()])
def test_likely_encodings(codec, text):
    data = f"plain words\n{text}\n{text}\n".encode(codec)
    encoding, line = guess(data)
    assert line == text
    assert data.decode(encoding.codec).split("\n")[1] == text


def test_noise_has_no_encoding():
    rng = random.Random(1)
    for data in (rng.randbytes(2000) for _ in range(50)):
        assert guess(data) is None
    assert advice(b"\xff\x00\x81\x8d\xff", 0, "x") == UNKNOWN


def test_advice_shows_the_text_that_it_makes():
    data = "春眠不觉晓，处处闻啼鸟。\n".encode("gbk")
    assert "iconv -f GB18030 -t UTF-8 'my text'" in advice(data, 0, "my text")
    assert "春眠不觉晓" in advice(data, 0, "my text")
    damaged = "Größe, Äpfel, über, schön, für\n".encode() + b"\xe9\n"
    assert "iconv -c" in advice(damaged, len(damaged) - 2, "text")
    far = b"plain\n" * 50_000 + "Größe\n".encode("latin-1")
    assert "CP1252" in advice(far, len(far) - 4, "text")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["the cat\n", "Привет, мир\nДа\n", "a 猫\nb 犬\n"])
def test_utf_16_without_a_mark(codec, text):
    assert unmarked(text.encode(codec)) == codec
    assert marked(text.encode(codec)) is None


@pytest.mark.parametrize(
    "data", [b"", b"a\0b \0\n", b"\0", b"\0\n\0\n\0\n", b"a\0", b"a b\n\0\0\0\0\0\0\0\0", b"x" * 99]
)
def test_what_is_not_utf_16(data):
    assert unmarked(data) is None
    assert marked(data) is None


def archive(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for name, content in names:
            zipped.writestr(name, content)
    return file.getvalue()


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return file.getvalue()


@pytest.mark.parametrize(("data", "what", "command"), [
    (archive(("a.txt", "x")), "zip", "unzip -p 'my file'"),
    (archive(("[Content_Types].xml", "x")), "Office", "pandoc"),
    (archive(("mimetype", "application/epub+zip")), "EPUB", "pandoc"),
    (archive(("meta.npy", "x")), "model", "first"),
    (tar(), "tar", "tar -xOf 'my file'"),
    (b"%PDF-1.7\n%\xe2\xe3", "PDF", "pdftotext 'my file'"),
    (b"SQLite format 3\0\x10\0", "SQLite", "sqlite3"),
    (b"{\\rtf1\\ansi", "RTF", "pandoc"),
    (gzip.compress(b"x"), "gzip", "zcat"),
    (b"\x28\xb5\x2f\xfd\x04", "zstd", "zstdcat 'my file'"),
    (b"\x89PNG\r\n\x1a\n", "picture", "text"),
    ("the cat".encode("utf-16").decode("latin-1").encode(), "ISO-8859-1", "-t ISO-8859-1 'my file' | iconv -f UTF-16"),
], ids=lambda value: "" if isinstance(value, bytes) else value)  # fmt: skip
def test_other_kinds_of_files(data, what, command):
    kind = kind_of(data[:500], "my file")
    assert what in kind.what
    assert command in kind.hint


@pytest.mark.parametrize(
    "text", ["PK is a word", "BZhang San", "LZIP tools", "PAR1 is here", "<s> a </s>", "MM", "RIFF"]
)
def test_texts_that_begin_like_another_kind(text):
    assert kind_of(text.encode(), "x") is None
