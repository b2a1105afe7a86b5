internal import FilterLanguage

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
    /// Lines that show the place in the value, where that is a filter; printable.
    package let excerpt: [String]

    init(place: Place, message: String, hint: String, excerpt: [String] = []) {
        self.place = place
        self.message = message
        self.hint = hint
        self.excerpt = excerpt
    }

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
    let excerpt: [String]

    init(_ position: Position, _ message: String, hint: String, excerpt: [String] = []) {
        self.position = position
        self.message = message
        self.hint = hint
        self.excerpt = excerpt
    }
}
