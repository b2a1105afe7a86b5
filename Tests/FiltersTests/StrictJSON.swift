/// JSON as RFC 8259 has it and no wider, for tests: UTF-8 only, no control characters in strings, no lone surrogates, no
/// duplicate keys, nothing behind the value.
indirect enum JSON: Equatable {
    case null
    case bool(Bool)
    /// As written.
    case number(String)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    struct Malformed: Error, CustomStringConvertible {
        var reason: String
        var at: Int
        var description: String { "\(reason) at byte \(at)" }
    }

    init(strict bytes: [UInt8]) throws {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw Malformed(reason: "not UTF-8", at: 0) }
        var parser = Parser(bytes: bytes)
        self = try parser.value(depth: 0)
        guard parser.index == bytes.count else { throw parser.malformed("something behind the value") }
    }

    /// A member by its dotted name; nil where a step is missing.
    subscript(path: String) -> JSON? {
        var here: JSON = self
        for name in path.split(separator: ".") {
            guard case .object(let members) = here, let next = members[String(name)] else { return nil }
            here = next
        }
        return here
    }

    var text: String? { if case .string(let text) = self { text } else { nil } }
    var integer: Int? { if case .number(let text) = self { Int(text) } else { nil } }
    var texts: [String]? {
        guard case .array(let elements) = self else { return nil }
        let texts = elements.compactMap(\.text)
        return texts.count == elements.count ? texts : nil
    }

    /// Every value that is no object, by its dotted name.
    func leaves(_ prefix: String = "") -> [(name: String, value: JSON)] {
        guard case .object(let members) = self else { return [(prefix, self)] }
        return members.flatMap { $1.leaves(prefix.isEmpty ? $0 : "\(prefix).\($0)") }
    }

    private struct Parser {
        let bytes: [UInt8]
        var index = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        func malformed(_ reason: String) -> Malformed { Malformed(reason: reason, at: index) }

        private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

        mutating func expect(_ text: StaticString) throws {
            for offset in 0..<text.utf8CodeUnitCount {
                guard current == text.utf8Start[offset] else { throw malformed("expected \(text)") }
                index += 1
            }
        }

        /// The encoder writes no white space, so none is taken.
        mutating func value(depth: Int) throws -> JSON {
            guard depth < 16 else { throw malformed("too deep") }
            switch current {
            case UInt8(ascii: "{"): return try object(depth: depth)
            case UInt8(ascii: "["): return try array(depth: depth)
            case UInt8(ascii: "\""): return .string(try string())
            case UInt8(ascii: "t"): try expect("true"); return .bool(true)
            case UInt8(ascii: "f"): try expect("false"); return .bool(false)
            case UInt8(ascii: "n"): try expect("null"); return .null
            default: return .number(try number())
            }
        }

        mutating func object(depth: Int) throws -> JSON {
            try expect("{")
            var members: [String: JSON] = [:]
            if current == UInt8(ascii: "}") { index += 1; return .object([:]) }
            while true {
                let key = try string()
                try expect(":")
                let value = try value(depth: depth + 1)
                guard members.updateValue(value, forKey: key) == nil else { throw malformed("duplicate key \(key)") }
                if current == UInt8(ascii: ",") { index += 1; continue }
                try expect("}")
                return .object(members)
            }
        }

        mutating func array(depth: Int) throws -> JSON {
            try expect("[")
            var elements: [JSON] = []
            if current == UInt8(ascii: "]") { index += 1; return .array([]) }
            while true {
                elements.append(try value(depth: depth + 1))
                if current == UInt8(ascii: ",") { index += 1; continue }
                try expect("]")
                return .array(elements)
            }
        }

        mutating func number() throws -> String {
            let start = index
            if current == UInt8(ascii: "-") { index += 1 }
            let first = current
            let digits = index
            while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { index += 1 }
            guard index > digits else { throw malformed("no value") }
            guard first != UInt8(ascii: "0") || index == digits + 1 else { throw malformed("leading zero") }
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }

        mutating func string() throws -> String {
            try expect("\"")
            var units: [UInt8] = []
            while true {
                guard let byte = current else { throw malformed("string without end") }
                index += 1
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: units, as: UTF8.self)
                case 0..<0x20: throw malformed("control character \(byte)")
                case UInt8(ascii: "\\"):
                    let scalar = try escape()
                    units.append(contentsOf: Array(String(Character(scalar)).utf8))
                default: units.append(byte)
                }
            }
        }

        mutating func escape() throws -> Unicode.Scalar {
            guard let byte = current else { throw malformed("escape without end") }
            index += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{c}"
            case UInt8(ascii: "u"):
                guard index + 4 <= bytes.count, let number = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16),
                    let scalar = Unicode.Scalar(number)
                else { throw malformed("bad \\u") }
                index += 4
                return scalar
            default: throw malformed("bad escape")
            }
        }
    }
}

/// The event that a line is; fails the test where it is not exactly one line of strict JSON.
func parse(_ line: [UInt8]?) throws -> JSON {
    guard let line else { throw JSON.Malformed(reason: "no event", at: 0) }
    guard line.last == UInt8(ascii: "\n"), !line.dropLast().contains(UInt8(ascii: "\n")) else {
        throw JSON.Malformed(reason: "not one line", at: 0)
    }
    return try JSON(strict: Array(line.dropLast()))
}
