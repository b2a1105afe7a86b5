internal import FilterLanguage
internal import Glibc
internal import KernelABI

/// What is asked of a text: plain data whose constants lie in `Constants`.
struct TextTest {
    enum Operation: UInt8 {
        case anything, equal, oneOf, contains, startsWith, endsWith, matches
    }

    let operation: Operation
    /// The constant; of `oneOf` and `matches` what `encode` made of them.
    private let range: Range<Int32>

    static let anything = TextTest(operation: .anything, range: 0..<0)

    private init(operation: Operation, range: Range<Int32>) {
        self.operation = operation
        self.range = range
    }

    /// - Parameter test: one of texts.
    init(_ test: Test, _ constants: Constants) {
        switch test {
        case .equal(let bytes): self.init(operation: .equal, range: constants.add(bytes))
        case .contains(let bytes): self.init(operation: .contains, range: constants.add(bytes))
        case .startsWith(let bytes): self.init(operation: .startsWith, range: constants.add(bytes))
        case .endsWith(let bytes): self.init(operation: .endsWith, range: constants.add(bytes))
        case .oneOf(let choices): self.init(operation: .oneOf, range: constants.add(choices.flatMap { Self.length($0.count) + $0 }))
        case .matches(let glob): self.init(operation: .matches, range: constants.add(CompiledGlob.encode(glob)))
        case .exists, .boolean, .number, .numbers: self = .anything
        }
    }

    /// As lengths stand before constants.
    static func length(_ count: Int) -> [UInt8] { withUnsafeBytes(of: UInt32(count)) { Array($0) } }

    @inline(__always)
    func passes(_ text: UnsafeRawBufferPointer, _ constants: UnsafeRawPointer) -> Bool {
        let constant = UnsafeRawBufferPointer(start: constants + Int(range.lowerBound), count: Int(range.upperBound &- range.lowerBound))
        switch operation {
        case .anything: return true
        case .equal: return Self.equal(text, constant)
        case .startsWith: return text.count >= constant.count && Self.same(text.baseAddress, constant.baseAddress, constant.count)
        case .endsWith:
            return text.count >= constant.count && Self.same(text.baseAddress.map { $0 + (text.count &- constant.count) }, constant.baseAddress, constant.count)
        case .contains: return Self.find(constant, in: text, from: 0) != nil
        case .oneOf: return Self.isOne(text, of: constant)
        case .matches: return CompiledGlob.matches(text, constant)
        }
    }

    @inline(__always)
    private static func equal(_ text: UnsafeRawBufferPointer, _ constant: UnsafeRawBufferPointer) -> Bool {
        text.count == constant.count && same(text.baseAddress, constant.baseAddress, constant.count)
    }

    @inline(__always)
    static func same(_ first: UnsafeRawPointer?, _ second: UnsafeRawPointer?, _ count: Int) -> Bool {
        guard count > 0 else { return true }
        guard let first, let second else { return false }
        return memcmp(first, second, count) == 0
    }

    @inline(never)
    private static func isOne(_ text: UnsafeRawBufferPointer, of choices: UnsafeRawBufferPointer) -> Bool {
        var at = 0
        while at < choices.count {
            let count = Int(choices.loadUnaligned(fromByteOffset: at, as: UInt32.self))
            at &+= 4
            if equal(text, UnsafeRawBufferPointer(rebasing: choices[at..<(at &+ count)])) { return true }
            at &+= count
        }
        return false
    }

    /// The first place at or behind `from`. It takes time in proportion to the lengths, whatever the bytes.
    static func find(_ needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, from: Int) -> Int? {
        guard text.count &- from >= needle.count else { return nil }
        guard needle.count > 0, let start = text.baseAddress, let wanted = needle.baseAddress else { return from }
        return hv_find(start + from, text.count &- from, wanted, needle.count).map { $0 - start }
    }
}

/// A glob as bytes: for each segment its kind, the number of its elements, and these. Segments are found one behind the other, each at its first
/// place, which is as good as any later one.
enum CompiledGlob {
    private enum Kind: UInt8 { case literal, elements }
    /// Of an element: what it is, then a byte, or the 32 of a set.
    private enum Tag: UInt8 { case byte, any, set }

    static func encode(_ glob: Glob) -> [UInt8] {
        glob.segments.flatMap { segment -> [UInt8] in
            let literal: [UInt8] = segment.compactMap { if case .byte(let byte) = $0 { byte } else { nil } }
            if literal.count == segment.count { return [Kind.literal.rawValue] + TextTest.length(segment.count) + TextTest.length(segment.count) + literal }
            let elements = segment.flatMap { element -> [UInt8] in
                switch element {
                case .byte(let byte): [Tag.byte.rawValue, byte]
                case .any: [Tag.any.rawValue]
                case .set(let words): [Tag.set.rawValue] + words.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
                }
            }
            return [Kind.elements.rawValue] + TextTest.length(segment.count) + TextTest.length(elements.count) + elements
        }
    }

    /// A segment of the encoded pattern.
    private struct Segment {
        let literal: Bool
        /// Bytes of text that it takes.
        let width: Int
        let bytes: UnsafeRawBufferPointer
        /// Where the next one begins.
        let end: Int

        init(_ pattern: UnsafeRawBufferPointer, _ at: Int) {
            literal = pattern[at] == Kind.literal.rawValue
            width = Int(pattern.loadUnaligned(fromByteOffset: at &+ 1, as: UInt32.self))
            let count = Int(pattern.loadUnaligned(fromByteOffset: at &+ 5, as: UInt32.self))
            end = at &+ 9 &+ count
            bytes = UnsafeRawBufferPointer(rebasing: pattern[(at &+ 9)..<end])
        }

        /// Whether it is what `text` has at a place, where there is room for it.
        func stands(in text: UnsafeRawBufferPointer, at place: Int) -> Bool {
            if literal { return TextTest.same(text.baseAddress.map { $0 + place }, bytes.baseAddress, width) }
            var at = 0
            var place = place
            while at < bytes.count {
                switch bytes[at] {
                case Tag.byte.rawValue:
                    guard text[place] == bytes[at &+ 1] else { return false }
                    at &+= 2
                case Tag.any.rawValue: at &+= 1
                default:
                    let byte = text[place]
                    guard bytes[at &+ 1 &+ Int(byte >> 3)] >> (byte & 7) & 1 != 0 else { return false }
                    at &+= 33
                }
                place &+= 1
            }
            return true
        }

        func firstPlace(in text: UnsafeRawBufferPointer, from: Int) -> Int? {
            if literal { return TextTest.find(bytes, in: text, from: from) }
            var place = from
            while place &+ width <= text.count {
                if stands(in: text, at: place) { return place }
                place &+= 1
            }
            return nil
        }
    }

    @inline(never)
    static func matches(_ text: UnsafeRawBufferPointer, _ pattern: UnsafeRawBufferPointer) -> Bool {
        var segment = Segment(pattern, 0)
        guard text.count >= segment.width, segment.stands(in: text, at: 0) else { return false }
        // Without a star the first segment is all.
        guard segment.end < pattern.count else { return text.count == segment.width }
        var place = segment.width
        while true {
            segment = Segment(pattern, segment.end)
            guard segment.end < pattern.count else {
                return text.count &- place >= segment.width && segment.stands(in: text, at: text.count &- segment.width)
            }
            guard let found = segment.firstPlace(in: text, from: place) else { return false }
            place = found &+ segment.width
        }
    }
}
