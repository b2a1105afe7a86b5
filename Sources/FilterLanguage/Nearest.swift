/// Edit distance in Unicode scalars: insertions, deletions, replacements and swaps of neighbours each cost 1 (optimal string alignment).
package func editDistance(_ first: some StringProtocol, _ second: some StringProtocol) -> Int {
    let a = Array(first.unicodeScalars.prefix(comparedScalars))
    let b = Array(second.unicodeScalars.prefix(comparedScalars))
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
            row.append(cost)
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}

/// More of a name can't make it the nearest of names that are all shorter.
private let comparedScalars = 64

/// The first of `candidates` at the least distance.
package func nearest(to text: some StringProtocol, in candidates: [String]) -> String? {
    candidates.min { editDistance(text, $0) < editDistance(text, $1) }
}
