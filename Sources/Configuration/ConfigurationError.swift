/// What is wrong with the configuration, where, and what to do. Its description is one line, whatever a file or a name contains.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    package enum Place: Equatable, Sendable {
        /// A file as a whole: it could not be read.
        case file(String)
        /// A place in a file; lines and columns count from 1, columns in Unicode scalars.
        case position(file: String, line: Int, column: Int)
        /// A command-line option, with its dashes.
        case option(String)
    }

    package let place: Place
    /// What is wrong.
    package let message: String
    /// What to do.
    package let hint: String

    package var file: String? {
        switch place {
        case .file(let file), .position(let file, _, _): file
        case .option: nil
        }
    }

    package var line: Int? {
        if case .position(_, let line, _) = place { line } else { nil }
    }

    package var column: Int? {
        if case .position(_, _, let column) = place { column } else { nil }
    }

    package var description: String {
        let prefix =
            switch place {
            case .file(let file): file
            case .position(let file, let line, let column): "\(file):\(line):\(column)"
            case .option(let option): option
            }
        return printable("\(prefix): \(message); \(hint)")
    }
}

/// A complaint about a value, before it is known which file or option it came from.
struct Complaint: Error {
    let position: Position
    let message: String
    let hint: String

    init(_ position: Position, _ message: String, hint: String) {
        self.position = position
        self.message = message
        self.hint = hint
    }
}

/// `text` with what would break a line or steer a terminal written as escapes, so that it stays on its line and can't hide.
func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: mustEscape) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if mustEscape(scalar) { result += escape(scalar) } else { result.unicodeScalars.append(scalar) }
    }
    return result
}

/// `text` in quotes, printable and cut to a length that leaves a message readable.
func quoted(_ text: String) -> String {
    let limit = 60
    let start = String(text.unicodeScalars.prefix(limit))
    return "\"" + printable(start) + (start.unicodeScalars.count < text.unicodeScalars.count ? "...\"" : "\"")
}

/// Controls, line breaks as YAML 1.1 counts them (U+0085, U+2028, U+2029), direction marks, and what YAML does not allow unescaped.
func mustEscape(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x00...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF, 0xFFFE, 0xFFFF: true
    default: false
    }
}

/// An escape of YAML's double-quoted style.
func escape(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": return "\\n"
    case "\t": return "\\t"
    case "\r": return "\\r"
    default:
        let digits = String(scalar.value, radix: 16, uppercase: true)
        let width = scalar.value <= 0xFF ? 2 : 4
        return (width == 2 ? "\\x" : "\\u") + String(repeating: "0", count: width - digits.count) + digits
    }
}
