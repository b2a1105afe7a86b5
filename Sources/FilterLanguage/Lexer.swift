/// A filter's words, signs and literals, one after the other.
struct Lexer {
    enum Kind: Equatable {
        /// A field, a keyword or an operator that is a word.
        case word(String)
        case string([UInt8])
        case number(UInt64)
        /// `== != < <= > >= ( ) [ ] ,`
        case sign(String)
        case end
    }

    struct Token: Equatable {
        let kind: Kind
        let range: Range<Int>
    }

    let text: String
    private let bytes: [UInt8]
    private var index = 0

    init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
    }

    func error(_ message: String, _ hint: String, _ range: Range<Int>) -> FilterError {
        FilterError(message: message, hint: hint, text: text, range: range)
    }

    /// What stands there, as it was written.
    func source(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    mutating func next() throws(FilterError) -> Token {
        while index < bytes.count, Self.isSpace(bytes[index]) { index += 1 }
        guard index < bytes.count else { return Token(kind: .end, range: index..<index) }
        let start = index
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "\""): return try string()
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case _ where Self.isWord(byte):
            while index < bytes.count, Self.isWord(bytes[index]) { index += 1 }
            return Token(kind: .word(source(start..<index)), range: start..<index)
        default: return try sign()
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
            UInt8(ascii: "."), UInt8(ascii: "@"):
            true
        default: false
        }
    }

    private mutating func sign() throws(FilterError) -> Token {
        let start = index
        func isNext(_ sign: StaticString) -> Bool {
            let end = start + sign.utf8CodeUnitCount
            return end <= bytes.count && (0..<sign.utf8CodeUnitCount).allSatisfy { bytes[start + $0] == sign.utf8Start[$0] }
        }
        for sign in ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ","] as [StaticString] where isNext(sign) {
            index += sign.utf8CodeUnitCount
            return Token(kind: .sign("\(sign)"), range: start..<index)
        }
        for (sign, word) in [("&&", "and"), ("||", "or"), ("!", "not"), ("=", "==")] as [(StaticString, String)] where isNext(sign) {
            throw error("\(sign) is no sign of this language", "write \(word)", start..<start + sign.utf8CodeUnitCount)
        }
        if isNext("-") { throw error("a minus", "numbers are whole and not negative here, and a text stands in double quotes", start..<start + 1) }
        if isNext("'") { throw error("a single quote", "put texts in double quotes", start..<start + 1) }
        // One character, however many bytes it has.
        var end = start + 1
        while end < bytes.count, bytes[end] & 0xc0 == 0x80 { end += 1 }
        throw error("\(quoted(source(start..<end))) means nothing here", "put texts in double quotes", start..<end)
    }

    private mutating func number() throws(FilterError) -> Token {
        let start = index
        while index < bytes.count, Self.isWord(bytes[index]) { index += 1 }
        let digits = source(start..<index)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), digits == "0" || digits.utf8.first != 0x30 else {
            throw error("\(quoted(digits)) is no whole number", "write decimal digits without leading zeros, or a text in double quotes", start..<index)
        }
        guard let value = UInt64(digits) else { throw error("\(quoted(digits)) is too large", "numbers end at \(UInt64.max)", start..<index) }
        return Token(kind: .number(value), range: start..<index)
    }

    private mutating func string() throws(FilterError) -> Token {
        let start = index
        index += 1
        var value: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return Token(kind: .string(value), range: start..<index)
            case UInt8(ascii: "\\"): value += try escape()
            default: value.append(byte)
            }
        }
        throw error("a text that does not end", "end it with a double quote", start..<start + 1)
    }

    /// What follows a backslash.
    private mutating func escape() throws(FilterError) -> [UInt8] {
        let start = index - 1
        guard index < bytes.count else { throw error("a text that does not end", "end it with a double quote", start..<index) }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): return [byte]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "x"):
            let end = min(index + 2, bytes.count)
            guard end == index + 2, bytes[index..<end].allSatisfy(Self.isHexadecimal), let value = UInt8(source(index..<end), radix: 16) else {
                throw error("\\x without two hexadecimal digits", "write them, as in \\xff", start..<index)
            }
            index = end
            return [value]
        default:
            while index < bytes.count, bytes[index] & 0xc0 == 0x80 { index += 1 }
            throw error(
                "\(quoted(source(start..<index))) is no escape", "the escapes are \\\" \\\\ \\n \\r \\t and \\xNN; a backslash itself is \\\\", start..<index)
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
        default: false
        }
    }
}
