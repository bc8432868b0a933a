"""Samples as figures: medians, ratios pair by pair, JSON and Markdown.

A pair is our run and a peer's in the same turn. A ratio is ours divided by the peer's; its median over the pairs is
what to quote, for machines differ and are noisy.
"""
import statistics

NOISY = 0.04  # of all cores: stolen, or used by programs that do not belong to the run


def values(samples, key):
    return [s.get(key) if s else None for s in samples]


def spread(numbers):
    known = [n for n in numbers if n is not None]
    return {"min": min(known), "median": statistics.median(known), "max": max(known)} if known else None


def pairs(ours, theirs):
    return [a / b for a, b in zip(ours, theirs) if a is not None and b]


def summarize(row, samples, ours):
    """Peer -> {column: spread, "ratio": spread of the first column's pairs, "noisy": turns}."""
    first = row.columns[0].key
    out = {}
    for peer, turns in samples.items():
        if not any(turns):
            continue
        out[peer] = {c.key: spread(values(turns, c.key)) for c in row.columns}
        out[peer]["noisy"] = sum(1 for s in turns if s and s["noise"] > NOISY)
        out[peer]["trouble"] = sorted({s["trouble"] for s in turns if s and "trouble" in s})
        if peer != ours and ours in samples and row.has_ratio:
            out[peer]["ratio"] = spread(pairs(values(samples[ours], first), values(turns, first)))
    return out


def _cell(column, s):
    if s is None:
        return "–"
    text = column.form.format(s["median"])
    low, high = column.form.format(s["min"]), column.form.format(s["max"])
    return text if low == high else f"{text} ({low}–{high})"


def _ratio(s):
    return f"{s['median']:.2f} ({s['min']:.2f}–{s['max']:.2f})" if s else "–"


def table(row, summary, turns):
    """One row of the bench as a table: a line a peer."""
    heads = [c.title for c in row.columns] + [f"ours ÷ its {row.columns[0].title}"] * row.has_ratio + ["noisy turns"]
    lines = [f"**{row.name}**: {row.title} ({turns} turn{'s' if turns > 1 else ''})", "",
             f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for peer, s in summary.items():
        cells = [_cell(c, s[c.key]) for c in row.columns] + [_ratio(s.get("ratio"))] * row.has_ratio
        lines.append(f"| {peer} | {' | '.join(cells)} | {s['noisy'] or ''} |")
    return "\n".join(lines) + "\n"


def overview(done, names):
    """All rows by all peers: the medians of the first columns."""
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row, summary, _ in done:
        column = row.columns[0]
        cells = [column.form.format(summary[n][column.key]["median"]) if n in summary and summary[n][column.key] else "–"
                 for n in names]
        lines.append(f"| {row.title}: {column.title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def ratios(done, names, ours):
    """Ours divided by each peer's, medians of the pairs."""
    others = [n for n in names if n != ours]
    lines = [f"| {ours} ÷ | {' | '.join(others)} |", "|---" * (len(others) + 1) + "|"]
    for row, summary, _ in (d for d in done if d[0].has_ratio):
        cells = [f"{summary[n]['ratio']['median']:.2f}" if summary.get(n, {}).get("ratio") else "–" for n in others]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def markdown(done, names, ours, machine):
    about = f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; {machine['when']}; {machine['peers']}."
    parts = [about + "\n", overview(done, names)]
    if ours in names:
        parts.append(ratios(done, names, ours))
    parts += [table(*d) for d in done]
    return "\n".join(parts)
