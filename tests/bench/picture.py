# SPDX-License-Identifier: MIT
"""One picture: a panel for each workload, a bar for each contestant, as long
as its time beside slabd's, on a log scale; shorter is better."""
import math
from xml.sax.saxutils import escape

from show import TITLES

WIDE = 560       # one panel
NAME = 92        # the names' column
VALUE = 64       # room behind the longest bar
BAR = 18
HEAD = 40
GAP = 22
COLOURS = {"slabd": "#d9480f", "floor": "#ced4da", "hugetlb": "#ced4da"}
OTHER = "#748ca3"
STYLE = ("text{font:13px system-ui,sans-serif;fill:#212529}"
         ".t{font-weight:600}.s{fill:#6c757d;font-size:12px}"
         ".v{paint-order:stroke;stroke:#fff;stroke-width:4px}"
         ".h{font-size:20px;font-weight:600}.me{font-weight:700;fill:#d9480f}")


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def collect(results):
    """Panels of (title, note, [(who, how many times slabd's)])."""
    panels = {}
    for group in results["groups"]:
        rows = group["medians"]
        kinds = [r["class"] for r in rows]
        # The class that says most: one thread, or CPUs near each other.
        kind = next((k for k in ("one", "near", "sibling", "far")
                     if k in kinds), None)
        panel = panels.setdefault(group["workload"],
                                  {"kinds": set(), "who": {}, "ns": []})
        for row in rows:
            if row["class"] != kind or not row["slabd_to_it"]:
                continue
            panel["kinds"].add(kind)
            panel["who"].setdefault(row["who"], []).append(
                1 / row["slabd_to_it"])
            if row["who"] == "slabd":
                panel["ns"].append(row["each_ns"])
    made = []
    for name, panel in panels.items():
        if not panel["ns"]:
            continue
        title = f"{name}: {TITLES[name]}" if name in TITLES else f"{name} trace"
        far = panel["kinds"] - {"one", "near"}
        note = ("slabd " + ", ".join(f"{ns:.3g}" for ns in panel["ns"]) + " ns"
                + (" (CPUs " + ", ".join(sorted(far)) + ")" if far else ""))
        bars = [(w, mean(v)) for w, v in panel["who"].items()]
        made.append((title, note, sorted(bars, key=lambda bar: bar[1])))
    for name, rows in results.get("memory", {}).items():
        rows = [r for r in rows if r["processes"] == 1]
        mine = [r["bytes"] for r in rows if r["who"] == "slabd"]
        bars = [(r["who"], r["bytes"] / mine[0]) for r in rows
                if mine and mine[0] > 0 and r["bytes"] > 0]
        if bars:
            made.append((f"{name} trace: memory at its peak",
                         f"slabd {mine[0] / 2**20:.1f} MiB",
                         sorted(bars, key=lambda bar: bar[1])))
    return made


def draw_panel(panel, x, y, scale):
    title, note, bars = panel
    out = [f'<text class="t" x="{x}" y="{y + 14}">{escape(title)}</text>',
           f'<text class="s" x="{x}" y="{y + 31}">{escape(note)}</text>']
    top = y + HEAD
    one = x + NAME + scale(1)
    for i, (who, value) in enumerate(bars):
        at = top + i * BAR
        mine = "me" if who == "slabd" else ""
        times = f"{value:.2f}" if value < 10 else f"{value:.0f}"
        out.append(
            f'<text class="{mine}" x="{x + NAME - 6}" y="{at + 13}" '
            f'text-anchor="end">{escape(who)}</text>'
            f'<rect x="{x + NAME}" y="{at + 2}" width="{scale(value):.1f}" '
            f'height="{BAR - 4}" fill="{COLOURS.get(who, OTHER)}"/>'
            f'<text class="v {mine}" x="{x + NAME + scale(value) + 5:.1f}" '
            f'y="{at + 13}">{times}×</text>')
    out.insert(2, f'<line x1="{one:.1f}" y1="{top}" x2="{one:.1f}" '
               f'y2="{top + len(bars) * BAR}" stroke="#d9480f" '
               'stroke-dasharray="3 3"/>')
    return "\n".join(out)


def write(path, results):
    panels = collect(results)
    values = [v for _, _, bars in panels for _, v in bars] or [1]
    low, high = math.log(min(values) / 2), math.log(max(max(values), 2))
    room = WIDE - NAME - VALUE - GAP

    def scale(value):
        return room * (math.log(value) - low) / (high - low)

    # Two columns; each panel goes where there is less.
    ends = [64, 64]
    drawn = []
    for panel in panels:
        side = 0 if ends[0] <= ends[1] else 1
        drawn.append(draw_panel(panel, GAP + side * WIDE, ends[side], scale))
        ends[side] += HEAD + len(panel[2]) * BAR + GAP
    high_px, wide_px = max(ends) + GAP, 2 * WIDE + GAP
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide_px}" '
            f'height="{high_px}" viewBox="0 0 {wide_px} {high_px}">\n'
            f'<style>{STYLE}</style>\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n'
            f'<text class="h" x="{GAP}" y="30">slabd beside other allocators'
            '</text>\n'
            f'<text class="s" x="{GAP}" y="50">time an operation takes, in '
            'times of slabd\'s (at the end: memory): shorter is better; log '
            'scale; mean over object sizes</text>\n' + "\n".join(drawn) + "\n</svg>\n")
