/// Reads JSON (RFC 8259) of anyone's: strict, in one pass, no deeper than `deepest`; what isn't asked for is skipped without being kept.
struct JSONReader {
    struct Invalid: Error {}
    static let deepest = 64

    private let bytes: [UInt8]
    private var at = 0
    private var depth = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// What of a whole document `body` finds; nil where it isn't one.
    static func read<Value>(_ bytes: [UInt8], _ body: (inout JSONReader) throws -> Value) -> Value? {
        var reader = JSONReader(bytes)
        guard let value = try? body(&reader) else { return nil }
        reader.space()
        return reader.at == bytes.count ? value : nil
    }

    /// Each member of an object; `body` takes its value or leaves it. A value of another type is skipped.
    mutating func members(_ body: (inout JSONReader, String) throws -> Void) throws {
        guard peek() == UInt8(ascii: "{") else { return try skip() }
        try enter()
        if peek() == UInt8(ascii: "}") { return leave() }
        while true {
            guard peek() == UInt8(ascii: "\"") else { throw Invalid() }
            let key = try text()
            guard peek() == UInt8(ascii: ":") else { throw Invalid() }
            at += 1
            space()
            let before = at
            try body(&self, key)
            if at == before { try skip() }
            if try end(UInt8(ascii: "}")) { return leave() }
        }
    }

    /// Each element of an array, in the same way.
    mutating func elements(_ body: (inout JSONReader) throws -> Void) throws {
        guard peek() == UInt8(ascii: "[") else { return try skip() }
        try enter()
        if peek() == UInt8(ascii: "]") { return leave() }
        while true {
            space()
            let before = at
            try body(&self)
            if at == before { try skip() }
            if try end(UInt8(ascii: "]")) { return leave() }
        }
    }

    /// A string; nil for a value of another type.
    mutating func string() throws -> String? {
        guard peek() == UInt8(ascii: "\"") else {
            try skip()
            return nil
        }
        return try text()
    }

    mutating func skip() throws {
        switch peek() {
        case UInt8(ascii: "{"): try members { _, _ in }
        case UInt8(ascii: "["): try elements { _ in }
        case UInt8(ascii: "\""): _ = try text()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: try number()
        }
    }

    // MARK: tokens

    private mutating func space() {
        while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
    }

    /// The next byte that means something; 0 at the end.
    private mutating func peek() -> UInt8 {
        space()
        return at < bytes.count ? bytes[at] : 0
    }

    private mutating func enter() throws {
        guard depth < Self.deepest else { throw Invalid() }
        depth += 1
        at += 1
    }

    private mutating func leave() {
        depth -= 1
        at += 1
    }

    /// Whether the list ends here; else a comma is behind us.
    private mutating func end(_ close: UInt8) throws -> Bool {
        let next = peek()
        if next == close { return true }
        guard next == UInt8(ascii: ",") else { throw Invalid() }
        at += 1
        guard peek() != close else { throw Invalid() }
        return false
    }

    private mutating func word(_ text: StaticString) throws {
        guard at + text.utf8CodeUnitCount <= bytes.count else { throw Invalid() }
        for index in 0..<text.utf8CodeUnitCount where bytes[at + index] != text.utf8Start[index] { throw Invalid() }
        at += text.utf8CodeUnitCount
    }

    private mutating func digits() throws {
        let start = at
        while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
        guard at > start else { throw Invalid() }
    }

    private mutating func number() throws {
        if peek() == UInt8(ascii: "-") { at += 1 }
        let first = at
        try digits()
        guard bytes[first] != 0x30 || at == first + 1 else { throw Invalid() }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            try digits()
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
    }

    private mutating func text() throws -> String {
        at += 1
        let start = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != 0x5c, bytes[at] >= 0x20 { at += 1 }
        var result = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
            case 0..<0x20: throw Invalid()
            case 0x5c:
                guard at < bytes.count else { throw Invalid() }
                let escape = bytes[at]
                at += 1
                switch escape {
                case UInt8(ascii: "\""), 0x5c, UInt8(ascii: "/"): result.append(escape)
                case UInt8(ascii: "b"): result.append(8)
                case UInt8(ascii: "f"): result.append(12)
                case UInt8(ascii: "n"): result.append(10)
                case UInt8(ascii: "r"): result.append(13)
                case UInt8(ascii: "t"): result.append(9)
                case UInt8(ascii: "u"): result += try escaped().utf8
                default: throw Invalid()
                }
            default: result.append(byte)
            }
        }
        throw Invalid()
    }

    private mutating func unit() throws -> UInt32 {
        guard at + 4 <= bytes.count else { throw Invalid() }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = bytes[at]
            guard let digit = CgroupPath.hexadecimal(byte >= 0x41 && byte <= 0x46 ? byte | 0x20 : byte) else { throw Invalid() }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }

    /// A lone surrogate becomes U+FFFD.
    private mutating func escaped() throws -> String {
        let first = try unit()
        if let scalar = Unicode.Scalar(first) { return String(Character(scalar)) }
        if first < 0xdc00, at + 6 <= bytes.count, bytes[at] == 0x5c, bytes[at + 1] == UInt8(ascii: "u") {
            let before = at
            at += 2
            let second = try unit()
            if (0xdc00...0xdfff).contains(second), let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) {
                return String(Character(scalar))
            }
            at = before
        }
        return "\u{fffd}"
    }
}
