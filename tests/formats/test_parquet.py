"""Parquet files that end or upset the library that reads them."""

from __future__ import annotations

import base64
import os
import subprocess
import zlib
from pathlib import Path

import polars as pl
import pytest

import garim
from garim.errors import FormatError
from garim.formats import parquet

DEADLY = (
    "c-"
    "pmBTWcFf6rNqJWJytKJN68_VKJh_ixaz+y|!a1IIUK`#<xf!jw2V6=(4iqthGi`d?SQBl|F>vmQYGbLt6q>pijNg"
    "rw|H-"
    "5JD;b0cj~T4<(e4r&8R~nc0g~#db`RF4E39bIyF{n{&>LP*jO`LJo#ud>jt|fR=9pfBXFm13XyC=(B;&_Qm{cEmn"
    "U2>XXMGy!ZIyuLClff&d<XhuZL}I_QEf@hE7it#aW#Hh_ifIROBR6^>yXEc6LIz*Q&ko@`E2&*hT~D)b=^{m7uFj"
    "8u}`&jrQNTi~%u>W!ZQ;4r9rDoJlc*JB%b2X^0`qEkzzRE^TR$)N8UX~QA?!)^<MLp@~Rd>iDkWX5s>`ZR@kQvz4"
    "4c)H4fdrqu5%eTukGVcOU-"
    "U4CJB)Z*haQ<HO52n%o^QipO!SLtK^Uy0a1D7yYqo?N8bg9UtQu+#~<%*>mRZ|z#eCa<5rp%)+S#*by%Fe!>s9>g"
    "N;n_A!7d$6DfgT1tAuJs%cZk_G*DOe$9gAMYxg$hJETZmovZT)Hh1F_)E>vdlM_PCHZJSRH9)xY<khP1vKL==kF3"
    ";(jYBpmXe7y}it?IHZ9^1%oi57rcF>35!fx|AbtEgWrq>UE*h#?8Pwokg}-"
    "31JXoq?lm&}(IlwX*BCvx_Tf27Ti<09I&J(XmM_{;(5V`Q^Ury!Yx4N8UCI8}u4H&Q+Hc6Z4`k7<7Y?Hhq0N#llp"
    "Mz&_IGHYYA!&=-07wz$CCW&&sd9s2=?2jXBBE$CD;Iow-"
    "S@j0ZS%hIjdzG_sVo)s!iroh)eb6p6?bR$*8&J{<~HrX9%i%sFZt=uY0rA!=H;@}$Z!(cs}u$3xX^oMOX!Pt*EnA"
    "0LE!FL!Oh=>~wm^a0;6W+0=*WIve$=CM56;s^w!5h}}ty*}Qh>#UF8%DT-uH%dX=xb&x?!RU*E)pLyYg{?zOb^Rj"
    "=Lm8{qsJbf32SFOtrcXcr&Y0S%+TAs<v^V6W4W!jufn^MoOxKb*j04xp28Xpw%3@56GY*X^oSK-"
    "{zn6S+XxX_uZNRBy6zNT<cdcR2*ksBcoayFT;l(7C8J*(A&;&ffNuinJCFFPZd3FZf!#Pjs6X(DFLC>!_aRQgyA3"
    "b`qz_*cU(NM}$`I4L-"
    "#~W#S)KTT*Aco)sWrlOfd2F#PI9BCo<?#Ed7l!GpPW8cOwXwcN&c=YKpr{KuPDkO{wl#GtgplrL#I<?ic(bi=@?U"
    "5qu9Q@Oy*B0%B<;^z{5Z{HY;mHog~x!7sz{xycCKz5y03di8P>?>+utxvO*idqP>{Ua>QEHPn`x07|Xu8)*1)|hl"
    "oBi9be3hOkgQ8Mew5(Kei)&ny!yk;}2N)txMRxOqNEv30^<h;>ctvb7pjY=5#2R>cSIar%3#S4Qk{eGGvpa_F)=N"
    "4t1s%CN)fo?*Ay6JXx{-ScfS_=pG}~PWRVMlU9izvsfGZBc+?S7g_s_SuCi1fYytwkIW~|#I+eYw5l2|-"
    "Nc?E((umtI!)Gh82%OcI&DRzuaN=l6ueNK4`tb85-"
    "kvWKk1XmEOr@LBRX|WVooWe5)*_E#Ty<q@{FH6<)0>SONoU=EzuQUQzlLYcFn(Gr)p|=C^s`rhzt}7{`l4=5_Z0D"
    "&_TkBj4>k*Rzn16{1`Ef(tcaeintFhCZ;=aO^+W3{A5(ul7*tbWpTAMr{@p*m()Trr|120duMxxza@1sr)B)T*-"
    "(d^%5-J38M!x`4a%9$Zn-y@><A_0P){~1XM2-sCL|vgF5wIR*$)WT01(B0SN;X+EDw4"
)
"""Metadata of which a few bytes were changed; Polars 2.1 asks for 2 exabytes, and is ended."""


def table(path: Path) -> Path:
    pl.DataFrame({"file_name": ["1.png", "고양이.png"], "label": ["a", None]}).write_parquet(path)
    return path


def test_whole_files_are_read(tmp_path: Path) -> None:
    path = table(tmp_path / "a [1] *.parquet")
    assert parquet.read(path)["label"].to_list() == ["a", None]
    assert parquet.read(path, ["file_name"]).columns == ["file_name"]


def test_a_file_that_ends_its_reader_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "metadata.parquet"
    path.write_bytes(zlib.decompress(base64.b85decode(DEADLY)))
    with pytest.raises(FormatError, match=r"metadata\.parquet: is not a Parquet file"):
        garim.read(tmp_path / "data")
    assert capfd.readouterr().err == ""
    whole = table(tmp_path / "whole.parquet").read_bytes()
    for end in range(4, len(whole), 50):  # cut off, and then with another in its middle
        path.write_bytes(whole[:end])
        os.utime(path, (end, end))
        with pytest.raises(ValueError, match=r"\w"):
            parquet.read(path)
    path.write_bytes(whole)
    assert len(parquet.read(path)) == 2  # changed: tried again
    assert capfd.readouterr().err == ""


def test_the_reader_may_die(tmp_path: Path) -> None:
    parquet.read(table(tmp_path / "1.parquet"))
    assert parquet._trial.process is not None
    parquet._trial.process.kill()
    parquet._trial.process.wait()
    assert len(parquet.read(table(tmp_path / "2.parquet"))) == 2


def test_no_module_of_the_folder_is_taken_for_a_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "polars.py").write_text("open('ran', 'w')")
    (tmp_path / "json.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parquet, "_trial", parquet._Trial())
    assert len(parquet.read(table(tmp_path / "mine.parquet"))) == 2
    assert not (tmp_path / "ran").exists()


def test_without_a_second_python_it_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "Popen", none)
    monkeypatch.setattr(parquet, "_trial", parquet._Trial())
    assert len(parquet.read(table(tmp_path / "alone.parquet"))) == 2
    (tmp_path / "metadata.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(FormatError, match="is not a Parquet file"):
        garim.read(tmp_path)
