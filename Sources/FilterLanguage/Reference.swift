/// The table of all fields in Markdown, for docs/filters.md.
package func filterFieldReference() -> String {
    var result = "| field | type | events | values |\n|---|---|---|---|\n"
    for row in Field.table {
        result += "| `\(row.name)` | \(row.type.name) | \(row.carriers) | \((row.words ?? []).map { "`\($0)`" }.joined(separator: ", ")) |\n"
    }
    return result
}
