# Draws the table of hit-ratios.sh as SVG: a curve for each policy over the memory limits.
# Rows: limit in MiB, entries, then hit ratios in percent of the optimum, window, TinyLFU and LRU.
#   awk -v title=TEXT -f hit-ratios.awk ROWS

function x(row) { return left + (rows > 1 ? (row - 1) / (rows - 1) : 0.5) * width }
function y(percent) { return top + (high - percent) / (high - low) * height }
function text(at_x, at_y, anchor, what) {
    gsub(/&/, "\\&amp;", what); gsub(/</, "\\&lt;", what)
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", at_x, at_y, anchor, what
}

{
    rows++
    limit[rows] = $1
    entries[rows] = $2
    for (i = 1; i <= 4; i++) {
        value[i, rows] = $(2 + i)
        if (rows == 1 && i == 1 || $(2 + i) < least) least = $(2 + i)
        if ($(2 + i) > most) most = $(2 + i)
    }
}

END {
    left = 50; top = 40; width = 520; height = 260
    split("best possible (Belady)|window|TinyLFU|LRU", name, "|")
    # Okabe and Ito's colours, which colour-blind people can tell apart.
    split("#666666|#0072b2|#d55e00|#009e73", colour, "|")
    low = int(least / 10) * 10; high = (int(most / 10) + 1) * 10

    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 370\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n"
    printf "<rect width=\"760\" height=\"370\" fill=\"#fff\"/>\n"
    text(left, 22, "start", title)
    for (percent = low; percent <= high; percent += 10) {
        printf "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/>\n", left, y(percent), left + width
        text(left - 6, y(percent) + 4, "end", percent " %")
    }
    for (row = 1; row <= rows; row++) {
        text(x(row), top + height + 20, "middle", limit[row] " MiB")
        text(x(row), top + height + 36, "middle", entries[row])
    }
    text(left + width + 14, top + height + 36, "start", "entries")
    for (i = 1; i <= 4; i++) {
        printf "<path fill=\"none\" stroke-width=\"2\" stroke=\"%s\"%s d=\"", colour[i], i == 1 ? " stroke-dasharray=\"5 4\"" : ""
        for (row = 1; row <= rows; row++) printf "%s%.1f %.1f", row == 1 ? "M" : "L", x(row), y(value[i, row])
        print "\"/>"
        for (row = 1; row <= rows; row++) printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x(row), y(value[i, row]), colour[i]
        # The names stand in the order of the last values, a line apart.
        place[i] = y(value[i, rows]) + 4
    }
    for (pass = 1; pass <= 4; pass++)
        for (i = 1; i <= 4; i++)
            for (j = 1; j <= 4; j++)
                if (i != j && (value[i, rows] > value[j, rows] || value[i, rows] == value[j, rows] && i < j) && place[j] < place[i] + 15)
                    place[j] = place[i] + 15
    for (i = 1; i <= 4; i++)
        printf "<text x=\"%d\" y=\"%.1f\" fill=\"%s\">%s</text>\n", left + width + 14, place[i], colour[i], name[i]
    print "</svg>"
}
