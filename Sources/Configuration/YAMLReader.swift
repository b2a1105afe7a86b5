internal import FilterLanguage
import Yams

/// Reads one YAML document. The only file that knows Yams.
///
/// What YAML has beyond plain data is refused: anchors and aliases (a few lines of them expand to gigabytes), tags, several documents.
enum YAMLReader {
    /// Bytes of the largest file that is read.
    static let largestFile = 8 << 20
    /// Levels of nesting; the configuration has three.
    private static let deepest = 16

    /// - Returns: nil for a document without content.
    static func read(_ bytes: [UInt8]) throws(Complaint) -> Tree? {
        let text = try decode(bytes)
        // The parser looks at all that aliases make of a document, where it compares keys. So a document that may have some is looked through
        // for anchors first, with its aliases made harmless: where there is no anchor, no alias means anything.
        if text.utf8.contains(UInt8(ascii: "&")), text.utf8.contains(UInt8(ascii: "*")) {
            _ = try parse(String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "*" ? "_" : $0 })))
        }
        return try parse(text)
    }

    private static func parse(_ text: String) throws(Complaint) -> Tree? {
        do {
            // The basic resolver has no rules, and so no regular expressions: every scalar stays a text.
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            let root = try parser.singleRoot()
            // A node holds its anchor weakly, the parser for as long as it lives.
            return try withExtendedLifetime(parser) { try root.map { try tree($0, depth: 1) } }
        } catch let complaint as Complaint {
            throw complaint
        } catch let error as YamlError {
            throw complaint(error, in: text)
        } catch {
            throw Complaint(Position(line: 1, column: 1), "YAML can't be read: \(error)", hint: "correct the YAML")
        }
    }

    // MARK: - Before parsing

    private static func decode(_ bytes: [UInt8]) throws(Complaint) -> String {
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
        var position = Position(line: 1, column: 1)
        var scalars = String.UnicodeScalarView()
        var decoder = Unicode.UTF8.ForwardParser()
        var iterator = content.makeIterator()
        var last: Unicode.Scalar = " "
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .emptyInput:
                return String(scalars)
            case .error:
                throw Complaint(position, "a byte that is not UTF-8", hint: "save the file as UTF-8")
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                guard isAllowed(scalar) else {
                    throw Complaint(
                        position, "the character \(escape(scalar))", hint: "remove it; in double quotes it may be written like this")
                }
                scalars.append(scalar)
                position = position.after(scalar, last)
                last = scalar
            }
        }
    }

    /// The characters that YAML lets stand in a file (YAML 1.1, section 4.1.1).
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD, 0x10000...0x10FFFF: true
        default: false
        }
    }

    // MARK: - After parsing

    private static func tree(_ node: Node, depth: Int) throws(Complaint) -> Tree {
        let position = Position(node.mark)
        guard depth <= deepest else {
            throw tooDeep(position)
        }
        guard node.anchor == nil else {
            throw Complaint(position, "a YAML anchor (&name)", hint: "remove it, and write the value out where *name stands")
        }
        switch node {
        case .scalar(let scalar):
            try refuseTag(scalar.tag, unless: .str, position)
            return Tree(content: .text(scalar.string, quoted: scalar.style != .plain), position: position)
        case .sequence(let sequence):
            try refuseTag(sequence.tag, unless: .seq, position)
            var items: [Tree] = []
            for item in sequence { items.append(try tree(item, depth: depth + 1)) }
            return Tree(content: .list(items), position: position)
        case .mapping(let mapping):
            try refuseTag(mapping.tag, unless: .map, position)
            var pairs: [(key: Tree, value: Tree)] = []
            for (key, value) in mapping { pairs.append((try tree(key, depth: depth + 1), try tree(value, depth: depth + 1))) }
            return Tree(content: .mapping(pairs), position: position)
        case .alias:
            throw Complaint(position, "a YAML alias (*name)", hint: "write the value out")
        }
    }

    /// The parser itself gives quoted texts, and every key it compares, the tag of what they are.
    private static func refuseTag(_ tag: Tag, unless own: Tag.Name, _ position: Position) throws(Complaint) {
        let name = tag.rawValue
        guard name.isEmpty || name == own.rawValue else {
            throw Complaint(position, "a YAML tag (\(quoted(name)))", hint: "remove it; the key settles the type")
        }
    }

    private static func tooDeep(_ position: Position) -> Complaint {
        Complaint(position, "nested deeper than \(deepest) levels", hint: "write sections, keys and lists only")
    }

    private static func complaint(_ error: YamlError, in text: String) -> Complaint {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let position = Position(mark)
            if problem == "found undefined alias" {
                return Complaint(
                    position, "a YAML alias (*name)", hint: "write the value out, or put it in quotes if it is meant to begin with *")
            }
            if problem.contains("found another document") {
                return Complaint(position, "a second YAML document", hint: "keep one; more files go to conf.d")
            }
            if problem.contains("nesting level") { return tooDeep(position) }
            if line(position.line, of: text).prefix(while: { $0 == " " || $0 == "\t" }).contains("\t") {
                return Complaint(position, "bad YAML: a tab in the indentation", hint: "indent with spaces")
            }
            let where_ = context.map { " \($0.text) from line \($0.mark.line)" } ?? ""
            return Complaint(
                position, "bad YAML: \(problem)\(where_)", hint: "correct it; a text with special characters goes in double quotes")
        case .duplicatedKeysInMapping(let names, let context):
            let first = Position(context.mark)
            let name = names.first ?? ""
            let again = secondPlace(of: name, after: first, in: text)
            return Complaint(
                again ?? first, "the key \(quoted(name)) is there twice" + (again == nil ? "" : ", first on line \(first.line)"),
                hint: "remove one")
        default:
            // Reader errors are found before parsing, the rest is of writing YAML or of memory.
            return Complaint(Position(line: 1, column: 1), "YAML can't be read: \(error)", hint: "correct the YAML")
        }
    }

    /// Where a key of a block mapping stands again: the parser tells the first place only.
    private static func secondPlace(of name: String, after first: Position, in text: String) -> Position? {
        for (index, line) in lines(of: text).enumerated().dropFirst(first.line) {
            guard line.prefix(while: { $0 == " " }).count == first.column - 1 else { continue }
            let rest = line.dropFirst(first.column - 1)
            for written in [name, "\"\(name)\"", "'\(name)'"] where rest.hasPrefix(written) {
                if rest.dropFirst(written.count).drop(while: { $0 == " " }).first == ":" {
                    return Position(line: index + 1, column: first.column)
                }
            }
        }
        return nil
    }

    private static func lines(of text: String) -> [Substring] {
        text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
    }

    private static func line(_ number: Int, of text: String) -> Substring {
        let lines = lines(of: text)
        return number <= lines.count ? lines[number - 1] : ""
    }
}

extension Position {
    init(_ mark: Mark?) {
        self.init(line: mark?.line ?? 1, column: mark?.column ?? 1)
    }

    /// The place that follows `scalar`, which followed `last`; lines end as in YAML 1.1.
    fileprivate func after(_ scalar: Unicode.Scalar, _ last: Unicode.Scalar) -> Position {
        switch scalar {
        case "\n" where last == "\r": self
        case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": Position(line: line + 1, column: 1)
        default: Position(line: line, column: column + 1)
        }
    }
}
