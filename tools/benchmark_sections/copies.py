"""How well copies are found, and how fast the audit is."""

from __future__ import annotations

from benchmark_sections.tables import Figures, row

HEAD = """
## Copies

```sh
python benchmarks/audit_duplicates.py --peers --json docs/benchmarks/audit_duplicates.json
```

Copies of {each} pictures of each kind, planted beside all originals. Recall by kind; a pair is
wrong when its pictures do not come from one original.

"""

SPEED = """
Pictures per second on two cores, JPEGs with the texture of photos. *Bare* opens them at the same
reduced scale and does nothing else; *look* is all that the audit measures on a picture; *audit* is
the whole, copies included.

| size | bare | look | audit | cleanvision |
|---|---:|---:|---:|---:|
"""


def section(found: Figures) -> str:
    """Give the section; it must have been measured."""
    copies = found["audit_duplicates"]
    kinds = list(copies["found"][0]["recall"])
    text = HEAD.format(each=copies["each"])
    text += row("data", "tool", "precision", *kinds, "seconds")
    text += "|---|---|" + "---:|" * (len(kinds) + 2) + "\n"
    for r in copies["found"]:
        recalls = (f"{recall:.2f}" for recall in r["recall"].values())
        text += row(r["data"], r["tool"], r["precision"], *recalls, f"{r['seconds']:.1f}")
    names = ("bare_decoding", "garim_look", "garim_audit", "cleanvision")
    text += SPEED
    for r in copies["speed"]:
        text += row(r["size"], *(f"{r[name]:,.0f}" if name in r else "–" for name in names))
    return text
