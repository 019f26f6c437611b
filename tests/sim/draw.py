# SPDX-License-Identifier: MIT
"""The table of a simulation on the terminal, and a picture of each scenario:
a row for each policy, over time memory by node, partial slabs by node, and what
was allocated from afar."""
import json
import os
import sys
from xml.sax.saxutils import escape

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "bench"))
from picture import GAP, HEAD, STYLE  # noqa: E402
from show import table  # noqa: E402

WIDE, HIGH = 340, 120  # one panel
LEFT, BELOW = 52, 22   # its axes
PANELS = ("memory in slabs", "partial slabs (log)", "remote allocations")
COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8590c", "#0c8599",
           "#f08c00", "#c2255c", "#5c940d", "#6741d9", "#e03131", "#1098ad",
           "#868e96", "#66a80f", "#ae3ec9", "#364fc7")
HEADINGS = ("", "remote", "in bytes", "one by one", "own had", "far use",
            "failed", "moved", "lent", "returned", "pages", "back",
            "recalled", "relief", "steps after", "settled", "uneven", "plan")
LEGEND = """\
  remote       of objects allocated, on another node; in bytes: of their bytes
  one by one   of objects, by clients whose own list was bare
  own had      remote although the own node had memory
  far use      of live bytes, far from their owner (mean over time)
  failed       allocations that got nothing; moved: bytes of pages migrated
  lent, returned: slabs; pages: migrated or drained
  back         slabs and pages that moved back within hold; recalled: of these
               slabs whose home had become short
  relief       longest time for which a list stayed bare
  steps after  balancing steps after demand had stopped to change, and when the
               last of them was (settled)
  uneven       partial lists at the end, longest by shortest, mean over caches
  plan         CPU time to make one, on this machine"""


def load(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def share(part, whole):
    value = 100 * part / whole if whole else 0
    return "0" if part == 0 else f"{value:.3f} %" if value < 10 else f"{value:.1f} %"


def short(number):
    for unit in ("", "k", "M"):
        if number < 10000:
            return f"{number:.0f}{unit}"
        number /= 1000
    return f"{number:.0f}G"


def size(number):
    return f"{number / 2**20:.0f}M" if number < 2**33 else f"{number / 2**30:.0f}G"


def cells(row, cpu):
    return [row["policy"], share(row["remote"], row["allocs"]),
            share(row["remote_bytes"], row["bytes"]),
            share(row["fallback"], row["allocs"]),
            share(row["avoidable"], row["allocs"]),
            f"{100 * row['far_part']:.2f} %", short(row["failed"]),
            size(row["moved_bytes"]), short(row["lent"]),
            short(row["returned"]), short(row["migrated"]),
            short(row["reversals"]), short(row["recalled"]), f"{row['relief_ms']} ms",
            short(row["settle_steps"]), f"{row['settle_ms']} ms",
            f"{row['spread']:.1f}",
            f"{cpu['cpu_ns'] / max(1, cpu['plans']) / 1000:.1f} us"]


def show(rows, cpus):
    for name in dict.fromkeys(row["scenario"] for row in rows):
        mine = [row for row in rows if row["scenario"] == name]
        print(f"\n{name}: {mine[0]['title']}")
        table(list(HEADINGS), [cells(row, cpus[name, row["policy"]])
                               for row in mine])
        for row in mine:
            if row["bad"]:
                print(f"  {row['policy']}: WRONG: {row['bad']}")
            if row["left_pages"]:
                print(f"  {row['policy']}: {row['left_pages']} pages left on "
                      "the drained node")
    print(f"\n{LEGEND}")


# ---- pictures ---------------------------------------------------------------

def log2(value):
    return (value + 1).bit_length() - 1 + (value + 1) / 2**(
        (value + 1).bit_length() - 1) - 1


def lines(row, panel):
    """A list of values over time for each line, and how to label the top."""
    samples = row["samples"]
    if panel == 2:
        return [[s["remote_ppm"] / 10000 for s in samples]]
    nodes = range(len(samples[0]["nodes"]))
    if panel == 0:
        return [[s["nodes"][i][0] / 1024 for s in samples] for i in nodes]
    return [[log2(s["nodes"][i][2]) for s in samples] for i in nodes]


def label(panel, top):
    if panel == 0:
        return f"{top:.3g} GiB"
    return f"{2**top:.0f}" if panel == 1 else f"{top:.3g} %"


def draw_panel(row, panel, x, y, top):
    times = [s["ms"] for s in row["samples"]]
    first, last = times[0], max(times[-1], times[0] + 1)
    right, base = x + WIDE - GAP, y + HIGH
    out = [f'<path d="M{x + LEFT} {y}V{base}H{right}" fill="none" '
           'stroke="#ced4da"/>',
           f'<text class="s" x="{x + LEFT - 5}" y="{y + 10}" '
           f'text-anchor="end">{escape(label(panel, top))}</text>',
           f'<text class="s" x="{x + LEFT - 5}" y="{base}" '
           'text-anchor="end">0</text>']
    quiet = first + (last - first) * 0.6
    at = x + LEFT + (quiet - first) / (last - first) * (right - x - LEFT)
    out.append(f'<line x1="{at:.1f}" y1="{y}" x2="{at:.1f}" y2="{base}" '
               'stroke="#adb5bd" stroke-dasharray="2 3"/>')
    for i, values in enumerate(lines(row, panel)):
        points = " ".join(
            f"{x + LEFT + (t - first) / (last - first) * (right - x - LEFT):.1f},"
            f"{base - min(v / top, 1) * HIGH:.1f}"
            for t, v in zip(times, values))
        out.append(f'<polyline points="{points}" fill="none" stroke-width="1.4" '
                   f'stroke="{COLOURS[i % len(COLOURS)]}"/>')
    out.append(f'<text class="s" x="{right}" y="{base + 15}" '
               f'text-anchor="end">{last / 1000:.0f} s</text>')
    return "\n".join(out)


def write(path, rows):
    # One scale a column, so that policies can be compared.
    tops = [max(max(map(max, lines(row, panel))) for row in rows) or 1
            for panel in range(3)]
    high = 64 + HEAD + len(rows) * (HIGH + BELOW + GAP) + GAP
    wide = 3 * WIDE + 2 * GAP
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" '
           f'height="{high}" viewBox="0 0 {wide} {high}">',
           f"<style>{STYLE}</style>",
           '<rect width="100%" height="100%" fill="#fff"/>',
           f'<text class="h" x="{GAP}" y="30">{escape(rows[0]["title"])}</text>',
           f'<text class="s" x="{GAP}" y="50">a line for each node; behind the '
           'dotted line demand does not change</text>']
    for i in range(len(rows[0]["samples"][0]["nodes"])):
        at = wide - GAP - 24 * (len(rows[0]["samples"][0]["nodes"]) - i)
        out.append(f'<text x="{at}" y="50" fill="{COLOURS[i % len(COLOURS)]}" '
                   f'style="fill:{COLOURS[i % len(COLOURS)]}">{i}</text>')
    for n, row in enumerate(rows):
        y = 64 + HEAD + n * (HIGH + BELOW + GAP)
        mine = " me" if row["policy"] == "ours" else ""
        out.append(f'<text class="t{mine}" x="{GAP}" y="{y - 8}">'
                   f'{escape(row["policy_title"])}</text>')
        for panel, title in enumerate(PANELS):
            x = GAP + panel * WIDE
            if n == 0:
                out.append(f'<text class="s" x="{x + LEFT}" y="{y - 24}">'
                           f"{escape(title)}</text>")
            out.append(draw_panel(row, panel, x, y, tops[panel]))
    out.append("</svg>\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out))


def main(folder):
    rows = load(folder, "results.jsonl")
    cpus = {(row["scenario"], row["policy"]): row
            for row in load(folder, "cpu.jsonl")}
    show(rows, cpus)
    for name in dict.fromkeys(row["scenario"] for row in rows):
        write(os.path.join(folder, f"{name}.svg"),
              [row for row in rows if row["scenario"] == name])
    print(f"\nPictures: {os.path.join(os.path.relpath(folder), '*.svg')}")


main(sys.argv[1])
