# SPDX-License-Identifier: MIT
"""The lists of each node over time, a panel for each policy, all on one
scale."""
from xml.sax.saxutils import escape

WIDE = 880
HIGH = 150       # of a panel
LEFT = 64
RIGHT = 96
HEAD = 78
GAP = 58
COLOURS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5")
STYLE = ("text{font:13px system-ui,sans-serif;fill:#212529}"
         ".t{font-weight:600}.s{fill:#6c757d;font-size:12px}"
         ".h{font-size:20px;font-weight:600}"
         "polyline{fill:none;stroke-width:1.6}")


def scale_of(most):
    """The step between lines of a grid of four or five."""
    step = 1
    while step * 5 < most:
        step *= 2 if str(step)[0] in "15" else 2.5
    return int(step)


def panel(title, run, top, wide, step, most):
    frees = max(look["at"] for look in run["looks"])

    def x(at):
        return LEFT + wide * at / frees

    def y(slabs):
        return top + HIGH - HIGH * slabs / most

    out = [f'<text class="t" x="{LEFT}" y="{top - 24}">{escape(title)}</text>']
    for value in range(0, most + 1, step):
        out.append(
            f'<line x1="{LEFT}" x2="{LEFT + wide}" y1="{y(value):.1f}" '
            f'y2="{y(value):.1f}" stroke="#e9ecef"/>'
            f'<text class="s" x="{LEFT - 6}" y="{y(value) + 4:.1f}" '
            f'text-anchor="end">{value:,}</text>')
    at = 0
    for phase in run["phases"]:
        out.append(
            f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{top - 8}" '
            f'y2="{top + HIGH}" stroke="#adb5bd" stroke-dasharray="3 3"/>'
            f'<text class="s" x="{x(at) + 4:.1f}" y="{top - 6}">'
            f'{escape(phase["phase"])}</text>')
        at += phase["frees"]
    looks = run["looks"]
    foreign = " ".join(f'{x(k["at"]):.1f},{y(sum(k["foreign"])):.1f}'
                       for k in looks)
    out.append(f'<polygon points="{LEFT},{y(0):.1f} {foreign} '
               f'{LEFT + wide},{y(0):.1f}" fill="#ced4da" opacity="0.8"/>')
    for node, colour in enumerate(COLOURS):
        points = " ".join(f'{x(k["at"]):.1f},{y(k["listed"][node]):.1f}'
                          for k in looks)
        out.append(f'<polyline points="{points}" stroke="{colour}"/>')
    carved = " ".join(f'{x(k["at"]):.1f},{y(sum(k["slabs"])):.1f}'
                      for k in looks)
    out.append(f'<polyline points="{carved}" stroke="#212529" '
               'stroke-dasharray="1 3"/>')
    last = looks[-1]
    for i, text in enumerate((
            f"{max(p['astray'] for p in run['phases']):,} astray",
            "at most;", f"{sum(last['slabs']):,} slabs", "in the end")):
        out.append(f'<text class="s" x="{LEFT + wide + 10}" '
                   f'y="{top + 14 + 16 * i}">{text}</text>')
    out.append(f'<text class="s" x="{LEFT + wide}" y="{top + HIGH + 16}" '
               f'text-anchor="end">{frees / 1e6:.0f} million frees</text>')
    return "\n".join(out)


def legend(top):
    out, at = [], LEFT
    for node, colour in enumerate(COLOURS):
        out.append(f'<line x1="{at}" x2="{at + 18}" y1="{top - 4}" '
                   f'y2="{top - 4}" stroke="{colour}" stroke-width="3"/>'
                   f'<text class="s" x="{at + 22}" y="{top}">'
                   f"node {node}'s list</text>")
        at += 104
    out.append(f'<rect x="{at}" y="{top - 10}" width="18" height="10" '
               f'fill="#ced4da"/><text class="s" x="{at + 22}" y="{top}">'
               'listed on a node where they do not lie</text>')
    at += 272
    out.append(f'<line x1="{at}" x2="{at + 18}" y1="{top - 4}" y2="{top - 4}" '
               'stroke="#212529" stroke-dasharray="1 3"/>'
               f'<text class="s" x="{at + 22}" y="{top}">slabs in all</text>')
    return "\n".join(out)


def write(path, runs, titles):
    wide = WIDE - LEFT - RIGHT
    most = max(sum(look["slabs"]) for run in runs.values()
               for look in run["looks"])
    step = scale_of(most)
    most = -(-most // step) * step
    body, top = [], HEAD + GAP // 2
    for policy, run in runs.items():
        body.append(panel(f"{policy}: {titles[policy]}", run, top, wide, step,
                          most))
        top += HIGH + GAP
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" '
            f'height="{top}" viewBox="0 0 {WIDE} {top}">\n'
            f'<style>{STYLE}</style>\n'
            '<rect width="100%" height="100%" fill="#fff"/>\n'
            f'<text class="h" x="{LEFT}" y="28">Partial lists while objects '
            'are freed on another node</text>\n'
            + legend(50) + "\n" + "\n".join(body) + "\n</svg>\n")
