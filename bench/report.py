"""What a benchmark measured, as a table, as JSON and as a chart."""
import html
import json
import math
import statistics

# Rates in images a second, each beside the raw limit of the same registry.
RATES = ("raw limit", "full sync", "full read, nothing stored", "store", "COPY of the same rows", "Go net/http",
         "containers/image", "skopeo inspect", "unchanged sync")
# Goals: (name, registry, figure, beside, goal).
RATIOS = (
    ("full sync / docker-registry's raw limit", "docker-registry", "full sync", "raw limit", ">= 0.95"),
    ("full sync / Go net/http", "nginx", "full sync", "Go net/http", ">= 2"),
    ("full sync / containers/image", "nginx", "full sync", "containers/image", ">= 8"),
    ("full sync / skopeo inspect", "nginx", "full sync", "skopeo inspect", ">= 200"),
    ("store alone / COPY of the same rows", "nginx", "store", "COPY of the same rows", ">= 0.8"),
    ("WAL a new image / COPY's", "nginx", "full sync: WAL an image, bytes", "COPY: WAL an image, bytes", "<= 1.2"),
)


def medians(rounds):
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def table(measured):
    lines = []
    for registry, rounds in measured["rounds"].items():
        middle = medians(rounds)
        lines += ["", f"### {registry}: {measured['images'][registry]} images in {measured['repositories'][registry]} "
                  f"repositories, {len(rounds)} rounds", "",
                  "| images a second | median | lowest | highest | / raw limit |", "|---|---:|---:|---:|---:|"]
        for name in RATES:
            values = [figures[name] for figures in rounds]
            lines.append(f"| {name} | {middle[name]:,.0f} | {min(values):,.0f} | {max(values):,.0f} | "
                         f"{middle[name] / middle['raw limit']:.3f} |")
        lines += ["", "| figure | median | lowest | highest |", "|---|---:|---:|---:|"]
        for name in rounds[0]:
            if name not in RATES:
                values = [figures[name] for figures in rounds]
                lines.append(f"| {name} | {middle[name]:,.2f} | {min(values):,.2f} | {max(values):,.2f} |")
        limits = [figures["raw limit"] for figures in rounds]
        if max(limits) > 2 * min(limits):
            lines += ["", f"The raw limit spread by {max(limits) / min(limits):.1f} times within this run: "
                      "the machine was too busy for these figures to mean much."]
    lines += ["", "| ratio of medians | reached | goal |", "|---|---:|---|"]
    for name, registry, figure, beside, goal in RATIOS:
        middle = medians(measured["rounds"][registry])
        lines.append(f"| {name} | {middle[figure] / middle[beside]:.2f} | {goal} |")
    return "\n".join(lines).strip() + "\n"


def chart(measured):
    """Bars of the medians, on a logarithmic scale, with the range as a line."""
    rows = []
    for registry, rounds in measured["rounds"].items():
        rows.append((registry, None))
        middle = medians(rounds)
        for name in RATES:
            values = [figures[name] for figures in rounds]
            rows.append((name, (min(values), middle[name], max(values))))
    highest = max(value[2] for _, value in rows if value)
    lowest = min(value[0] for _, value in rows if value)
    decades = len(str(int(highest)))
    floor = 10 ** (len(str(max(1, int(lowest)))) - 1)

    def x(value):
        return 190 + 520 * math.log10(value / floor) / (decades - math.log10(floor))

    parts = []
    for number, (name, value) in enumerate(rows):
        y = 20 + 22 * number
        if value is None:
            parts.append(f'<text x="10" y="{y + 14}" font-weight="bold">{html.escape(name)}: images a second</text>')
            continue
        low, median, high = value
        parts.append(f'<text x="180" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>'
                     f'<rect x="190" y="{y + 3}" width="{x(median) - 190:.1f}" height="14" fill="#336791"/>'
                     f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y + 10}" y2="{y + 10}" stroke="#e0a030" stroke-width="3"/>'
                     f'<text x="{x(high) + 6:.1f}" y="{y + 14}">{median:,.0f}</text>')
    height = 30 + 22 * len(rows)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{height}" font-family="sans-serif" font-size="12">'
            f'<rect width="800" height="{height}" fill="white"/>{"".join(parts)}</svg>\n')


def write(folder, measured):
    """Writes sync.md, sync.json and sync.svg, and prints the table."""
    folder.mkdir(parents=True, exist_ok=True)
    text = table(measured)
    (folder / "sync.md").write_text(text)
    (folder / "sync.json").write_text(json.dumps(measured, indent=1) + "\n")
    (folder / "sync.svg").write_text(chart(measured))
    print(text)
