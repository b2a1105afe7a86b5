/// A checked filter: what it was written as, and what it says.
package struct FilterExpression: Sendable, Equatable {
    package let text: String
    package let condition: Condition

    /// - Throws: what is wrong with the text, and where.
    package init(_ text: String) throws(FilterError) {
        self.text = text
        condition = try Parser.parse(text)
    }

    package static func == (first: Self, second: Self) -> Bool { first.text == second.text }
}

/// A condition on an event. It is true or false, nothing between: a test of a field that the event does not have is false.
package indirect enum Condition: Sendable {
    case all([Condition])
    case any([Condition])
    case not(Condition)
    case test(Field, Test)
}

/// What is asked of a field. Each fits the field's type, which the parser has seen to.
package enum Test: Sendable {
    case exists
    case boolean(Bool)
    /// Of a number or an identifier.
    case number(Order, UInt64)
    case numbers([UInt64])
    case equal([UInt8])
    case oneOf([[UInt8]])
    case contains([UInt8])
    case startsWith([UInt8])
    case endsWith([UInt8])
    case matches(Glob)
}

package enum Order: Sendable { case equal, less, lessOrEqual, greater, greaterOrEqual }

/// A pattern of a whole string: `*` any number of bytes, `?` one, `[a-z]` and `[!a-z]` one of a set, a backslash takes the next byte as it is.
/// Other than in files.watch a `*` does not stop at a slash: not all strings are paths.
package struct Glob: Sendable {
    package enum Element: Sendable, Equatable {
        case byte(UInt8)
        case any
        /// Bit n of the four words: the byte n.
        case set([UInt64])
    }

    /// What stands between the stars; one more than there are stars.
    package private(set) var segments: [[Element]] = [[]]

    /// What is wrong with a pattern.
    struct Malformed: Error { let message: String }

    init(_ pattern: [UInt8]) throws(Malformed) {
        var index = 0
        while index < pattern.count {
            let byte = pattern[index]
            index += 1
            switch byte {
            case UInt8(ascii: "*"):
                // Two in a row are one.
                if segments.count == 1 || segments.last?.isEmpty == false { segments.append([]) }
            case UInt8(ascii: "?"): append(.any)
            case UInt8(ascii: "["): append(try Self.set(pattern, &index))
            case UInt8(ascii: "\\"):
                guard index < pattern.count else { throw Malformed(message: "the pattern ends with a backslash that takes nothing") }
                append(.byte(pattern[index]))
                index += 1
            default: append(.byte(byte))
            }
        }
    }

    private mutating func append(_ element: Element) { segments[segments.count - 1].append(element) }

    /// Of what follows a `[`; a `]` that comes first is one of the set.
    private static func set(_ pattern: [UInt8], _ index: inout Int) throws(Malformed) -> Element {
        let unfinished = Malformed(message: "the pattern has a [ without its ]")
        func next() throws(Malformed) -> UInt8 {
            guard index < pattern.count else { throw unfinished }
            defer { index += 1 }
            return pattern[index]
        }
        var words: [UInt64] = [0, 0, 0, 0]
        var byte = try next()
        let inverted = byte == UInt8(ascii: "!") || byte == UInt8(ascii: "^")
        if inverted { byte = try next() }
        var first = true
        while first || byte != UInt8(ascii: "]") {
            first = false
            if byte == UInt8(ascii: "\\") { byte = try next() }
            var last = byte
            if index + 1 < pattern.count, pattern[index] == UInt8(ascii: "-"), pattern[index + 1] != UInt8(ascii: "]") {
                index += 1
                last = try next()
                if last == UInt8(ascii: "\\") { last = try next() }
                guard last >= byte else { throw Malformed(message: "a range of the pattern ends before it begins") }
            }
            for member in byte...last { words[Int(member >> 6)] |= 1 << UInt64(member & 63) }
            byte = try next()
        }
        return .set(inverted ? words.map { ~$0 } : words)
    }
}
