/// What is wrong with a filter, where, and what to do.
package struct FilterError: Error, Equatable, CustomStringConvertible {
    package let message: String
    package let hint: String
    /// The filter as it was written.
    package let text: String
    /// The place in its UTF-8.
    package let range: Range<Int>

    /// What and what to do, the filter, and carets under the place: printable, whatever the filter contains.
    package var lines: [String] { [description] + excerpt }

    package var description: String { printable("\(message); \(hint)") }

    /// The second and the third of `lines`. Of a long filter, what is around the place.
    package var excerpt: [String] {
        let shown = Excerpt(text, range)
        return [shown.text, String(repeating: " ", count: shown.column) + String(repeating: "^", count: shown.width)]
    }
}

/// A line of a text in which a place is to be shown.
struct Excerpt {
    private(set) var text = ""
    /// Columns before the place, as a terminal shows them, and columns of it, at least 1.
    private(set) var column = 0
    private(set) var width = 0

    /// Columns to show on either side of where the place begins.
    private static let reach = 60
    private static let mark = "..."

    init(_ whole: String, _ range: Range<Int>) {
        var before: [(text: String, columns: Int)] = []
        var behind: [(text: String, columns: Int, marked: Bool)] = []
        var offset = 0
        for scalar in whole.unicodeScalars {
            let piece = mustEscape(scalar) ? escape(scalar) : String(Character(scalar))
            let columns = mustEscape(scalar) ? piece.utf8.count : Self.columns(scalar.value)
            if offset < range.lowerBound {
                before.append((piece, columns))
            } else {
                behind.append((piece, columns, offset < range.upperBound))
            }
            offset += UTF8.width(scalar)
        }
        var room = Self.reach
        let kept = before.reversed().prefix { room -= $0.columns; return room >= 0 }.reversed()
        if kept.count < before.count { append(Self.mark, Self.mark.utf8.count) }
        for piece in kept { append(piece.text, piece.columns) }
        room = Self.reach
        var rest = behind[...]
        while let piece = rest.first, room >= piece.columns {
            rest = rest.dropFirst()
            room -= piece.columns
            text += piece.text
            if piece.marked { width += piece.columns }
        }
        if !rest.isEmpty { text += Self.mark }
        width = max(width, 1)
    }

    private mutating func append(_ piece: String, _ columns: Int) {
        text += piece
        column += columns
    }

    /// 2 for the wide characters of East Asia and for pictures, 0 for marks that are put upon others (Unicode Standard Annexes 11 and 15, so far as
    /// it matters here).
    private static func columns(_ scalar: UInt32) -> Int {
        switch scalar {
        case 0x0300...0x036f, 0x1ab0...0x1aff, 0x1dc0...0x1dff, 0x200b...0x200f, 0x20d0...0x20ff, 0xfe00...0xfe0f, 0xfe20...0xfe2f: 0
        case 0x1100...0x115e, 0x2e80...0x303e, 0x3041...0xa4cf, 0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
            0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1faff, 0x20000...0x3fffd:
            2
        default: 1
        }
    }
}
