"""The table of a comparison, for a terminal and for docs/PERFORMANCE.md."""

import math
import os

from outcome import FIGURES, OURS, SIDES, Aim, Floor, judge, notes, ratio, spread

BEGIN, END = "<!-- begin: ./dev bench compare -->", "<!-- end: ./dev bench compare -->"
COLUMNS = ["scenario", "nodes", "figure", *SIDES, "ratio (spread)", "aim", "reached"]
DETAILS = {
    "rate /s": ["rate"],
    "confirm p50, p99 ms": ["confirm_p50", "confirm_p99"],
    "delivery p50, p99 ms": ["delivery_p50", "delivery_p99"],
    "CPU µs a message": ["cpu_us"],
    "memory MB": ["memory"],
    "written MB": ["written"],
}


def number(value):
    """Three significant digits, with commas."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    digits = 2 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(digits, 0)}f}"


def figure_text(found, figure):
    return number(found.median / FIGURES[figure].divisor) if found else "–"


def ratio_text(found):
    return f"{number(found.median)} ({number(found.low)}–{number(found.high)})" if found else "–"


def detail(row, figures):
    """Both sides, separated by a slash; nothing when neither has any of it."""
    cells = []
    for side in SIDES:
        found = {figure: spread(row["sides"].get(side, []), figure) for figure in figures}
        texts = [figure_text(one, figure) for figure, one in found.items()]
        cells.append(", ".join(texts) if any(found.values()) else "–")
    return "" if cells == ["–", "–"] else " / ".join(cells)


def floor_text(row, floors):
    """What the row's figure is of its floor."""
    floor = Floor(**row["floor"]) if row.get("floor") else None
    bottom = floor.value(floors) if floor else None
    ours = spread(row["sides"].get(OURS, []), floor.figure) if bottom else None
    if not ours:
        return ""
    if floor.field == "rate":
        return f"{number(100 * ours.median / bottom)} % of {floor_name(floor)}"
    return f"{number(ours.median / bottom)} × {floor_name(floor)}"


def floor_name(floor):
    if floor.table != "append":
        return {"stream": "loopback", "round_trip": "a round trip"}[floor.table]
    return "one fdatasync" if floor.batch == 1 else f"fdatasync of {floor.batch:,}"


def remarks(row):
    """The notes of both sides, those that both share said once."""
    found = [notes(row["sides"].get(side, [])) for side in SIDES]
    shared = [note for note in found[0] if note in found[1]]
    own = [f"{side} {note}" for side, some in zip(SIDES, found) for note in some if note not in shared]
    return "; ".join(shared + own)


def lines_of(row, floors):
    """A line for each figure that is judged; the first has the details as well."""
    aims = [Aim(**aim) for aim in row["aims"]]
    head = [f"{row['scenario']} {row['title']}", str(row["nodes"])]
    for at, figure in enumerate(row["judged"]):
        sides = [row["sides"].get(side, []) for side in SIDES]
        of_figure = [aim for aim in aims if aim.figure == figure]
        verdicts = [judge(aim, row, floors) for aim in of_figure]
        cells = [*(head if at == 0 else ["", ""]), f"{FIGURES[figure].title}, {FIGURES[figure].unit}"]
        cells += [figure_text(spread(rounds, figure), figure) for rounds in sides]
        cells.append(ratio_text(ratio(*sides, figure)))
        cells.append("; ".join(aim.text() for aim in of_figure))
        cells.append("; ".join("–" if not one else "yes" if one[1] else f"no: {number(one[0])}" for one in verdicts))
        cells += [detail(row, figures) if at == 0 else "" for figures in DETAILS.values()]
        cells.append(floor_text(row, floors) if at == 0 else "")
        cells.append(remarks(row) if at == 0 else "")
        yield cells


def table(results):
    """Header and lines, as cells."""
    floors = results["floors"]
    heads = [*COLUMNS, *DETAILS, "of the floor", "notes"]
    return [heads] + [line for row in results["rows"] for line in lines_of(row, floors)]


def as_markdown(cells):
    clean = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in cells]
    rows = ["| " + " | ".join(line) + " |" for line in clean]
    return "\n".join([rows[0], "|" + "---|" * len(cells[0]), *rows[1:]])


def as_text(cells):
    """Columns side by side, those that are empty left out."""
    used = [at for at in range(len(cells[0])) if any(line[at] for line in cells[1:])]
    widths = {at: max(len(line[at]) for line in cells) for at in used}
    return "\n".join("  ".join(line[at].ljust(widths[at]) for at in used).rstrip() for line in cells)


def floor_table(floors):
    """The floor as the compare run saw it: medians over its runs."""
    first = floors[0] if floors else {}
    heads = ["body", "frames, octets", "loopback /s", "CPU µs write, read", "round trip p50, p99 µs"]
    batches = sorted({line["batch"] for line in first.get("append", ())})
    heads += [f"append + fdatasync of {batch:,}: p50 µs, /s" for batch in batches]
    cells = [heads]
    for line in first.get("stream", ()):
        size = line["body_bytes"]

        def value(place, field, batch=0, size=size):
            return number(Floor("", place, field, size, batch).value(floors))

        row = [f"{size:,}", f"{line['frame_bytes']:,}", value("stream", "rate")]
        row.append(f"{value('stream', 'writer_cpu_us')}, {value('stream', 'reader_cpu_us')}")
        row.append(f"{value('round_trip', 'p50_us')}, {value('round_trip', 'p99_us')}")
        row += [f"{value('append', 'p50_us', batch)}, {value('append', 'rate', batch)}" for batch in batches]
        cells.append(row)
    return cells


def summary(results):
    """How many aims were reached."""
    verdicts = [
        judge(Aim(**aim), row, results["floors"]) for row in results["rows"] for aim in row["aims"]
    ]
    reached = sum(1 for one in verdicts if one and one[1])
    unknown = sum(1 for one in verdicts if not one)
    return f"{reached} of {len(verdicts)} aims reached, {unknown} could not be judged"


def section(results):
    """What stands between the marks in docs/PERFORMANCE.md."""
    facts = results["facts"]
    lines = [
        BEGIN,
        f"{facts['date']}, {facts['machine']}. {facts['versions']}. Command: `{facts['command']}`; {facts['rounds']}",
        f"{summary(results)}.",
        "",
        as_markdown(table(results)),
        "",
        "The floor of the same run, medians of its rounds:",
        "",
        as_markdown(floor_table(results["floors"])),
        "",
        "What each row ran:",
        "",
        *(f"- {row['scenario']} {row['title']}, {row['nodes']} nodes: {row['how']}" for row in results["rows"]),
        END,
    ]
    return "\n".join(lines)


def write_page(path, results):
    """Replaces what stands between the marks, or adds it at the end; the rest of the page is people's."""
    page = ""
    if os.path.exists(path):
        with open(path) as file:
            page = file.read()
    before, found, rest = page.partition(BEGIN)
    after = rest.partition(END)[2] if found else "\n"
    before = before if found else before.rstrip() + "\n\n"
    with open(path, "w") as file:
        file.write(before + section(results) + after)


