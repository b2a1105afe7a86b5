/// What a NUL stands for in a string of arguments, each ended by one.
enum NulRule {
    /// A character like others.
    case escaped
    /// The end of an element of a JSON array.
    case element
    /// A space, as in a command line.
    case space
}

/// Bytes of any value as the inside of a JSON string (RFC 8259, section 7), eight at a time where nothing is to be done.
enum JSONString {
    /// At most this many bytes for one: a control character becomes \u00XX.
    static let expansion = 6

    /// Writes the bytes escaped, without the quotes around them. What is not UTF-8 becomes U+FFFD, one for each maximal
    /// subpart (Unicode, section 3.9), and `replaced` says so.
    @inline(never)
    static func write(_ from: UnsafeRawPointer, _ count: Int, to position: UnsafeMutableRawPointer) -> (
        end: UnsafeMutableRawPointer, replaced: Bool
    ) {
        escape(from, count, to: position, nul: .escaped)
    }

    /// The elements of an array of strings, without the first and the last quote. A NUL at the end is not passed.
    @inline(never)
    static func writeElements(_ from: UnsafeRawPointer, _ count: Int, to position: UnsafeMutableRawPointer) -> (
        end: UnsafeMutableRawPointer, replaced: Bool
    ) {
        escape(from, count, to: position, nul: .element)
    }

    @inline(never)
    static func writeLine(_ from: UnsafeRawPointer, _ count: Int, to position: UnsafeMutableRawPointer) -> (
        end: UnsafeMutableRawPointer, replaced: Bool
    ) {
        escape(from, count, to: position, nul: .space)
    }

    @inline(__always)
    private static func escape(
        _ from: UnsafeRawPointer, _ count: Int, to start: UnsafeMutableRawPointer, nul: NulRule
    ) -> (end: UnsafeMutableRawPointer, replaced: Bool) {
        var cursor = Cursor(start)
        var index = 0
        var replaced = false
        while index < count {
            let rest = count &- index
            let word: UInt64
            var special: UInt64
            if rest >= 8 {
                word = UInt64(littleEndian: from.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                special = specialBytes(word)
            } else {
                word = tail(from + index, rest)
                special = specialBytes(word) & (1 &<< UInt64(truncatingIfNeeded: rest &* 8) &- 1)
            }
            // Stored whole; what is behind the first special byte is overwritten.
            cursor.position.storeBytes(of: word.littleEndian, as: UInt64.self)
            if special == 0 {
                cursor.position += min(rest, 8)
                index &+= min(rest, 8)
                continue
            }
            let plain = special.trailingZeroBitCount >> 3
            cursor.position += plain
            index &+= plain
            let byte = from.load(fromByteOffset: index, as: UInt8.self)
            if byte < 0x80 {
                index &+= 1
                if byte == 0, nul == .space {
                    cursor.put(UInt8(ascii: " "))
                } else if byte == 0, nul == .element {
                    cursor.put("\",\"")
                } else {
                    control(byte, &cursor)
                }
            } else {
                repeat {
                    let (length, valid) = UTF8Sequence.measure(from + index, count &- index)
                    if valid {
                        cursor.copy(from + index, length)
                    } else {
                        cursor.put("\u{FFFD}")
                        replaced = true
                    }
                    index &+= length
                } while index < count && from.load(fromByteOffset: index, as: UInt8.self) >= 0x80
            }
        }
        return (cursor.position, replaced)
    }

    /// The high bit of the first byte that can't be copied as it is, and perhaps of later ones: control characters,
    /// quotes, backslashes, and all that is not ASCII.
    @inline(__always)
    private static func specialBytes(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let high: UInt64 = 0x8080_8080_8080_8080
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5c)
        return ((word &- ones &* 0x20) & ~word | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash | word) & high
    }

    /// One to seven bytes as the low ones of a word, reading none beyond them.
    @inline(__always)
    private static func tail(_ from: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count >= 4 {
            let low = UInt64(UInt32(littleEndian: from.loadUnaligned(as: UInt32.self)))
            let high = UInt64(UInt32(littleEndian: from.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)))
            return low | high &<< UInt64(truncatingIfNeeded: (count &- 4) &* 8)
        }
        if count >= 2 {
            let low = UInt64(UInt16(littleEndian: from.loadUnaligned(as: UInt16.self)))
            let high = UInt64(UInt16(littleEndian: from.loadUnaligned(fromByteOffset: count &- 2, as: UInt16.self)))
            return low | high &<< UInt64(truncatingIfNeeded: (count &- 2) &* 8)
        }
        return UInt64(from.load(as: UInt8.self))
    }

    @inline(never)
    private static func control(_ byte: UInt8, _ cursor: inout Cursor) {
        cursor.put(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): cursor.put(byte)
        case 0x0a: cursor.put(UInt8(ascii: "n"))
        case 0x0d: cursor.put(UInt8(ascii: "r"))
        case 0x09: cursor.put(UInt8(ascii: "t"))
        default:
            cursor.put("u")
            cursor.hexadecimal(UInt64(byte), width: 4)
        }
    }
}

/// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Sequence {
    /// The length of the sequence that begins with a byte of 0x80 or more, or, where it is no valid one, of the maximal
    /// subpart to be replaced by one U+FFFD.
    @inline(__always)
    static func measure(_ from: UnsafeRawPointer, _ count: Int) -> (length: Int, valid: Bool) {
        let first = from.load(as: UInt8.self)
        let length: Int
        // The second byte's range is what rules out overlong forms, surrogates and numbers too large.
        var low: UInt8 = 0x80
        var high: UInt8 = 0xbf
        switch first {
        case 0xc2...0xdf: length = 2
        case 0xe0...0xef:
            length = 3
            if first == 0xe0 { low = 0xa0 } else if first == 0xed { high = 0x9f }
        case 0xf0...0xf4:
            length = 4
            if first == 0xf0 { low = 0x90 } else if first == 0xf4 { high = 0x8f }
        default: return (1, false)
        }
        var index = 1
        while index < length {
            guard index < count else { return (index, false) }
            let byte = from.load(fromByteOffset: index, as: UInt8.self)
            guard byte >= low, byte <= high else { return (index, false) }
            low = 0x80
            high = 0xbf
            index &+= 1
        }
        return (length, true)
    }
}

/// Base64 with padding (RFC 4648, section 4).
enum Base64 {
    /// - Parameter nul: what a NUL is taken for.
    @inline(never)
    static func write(_ from: UnsafeRawPointer, _ count: Int, _ cursor: inout Cursor, nul: UInt8 = 0) {
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        let digits = alphabet.utf8Start
        func byte(_ index: Int) -> UInt32 {
            guard index < count else { return 0 }
            let byte = from.load(fromByteOffset: index, as: UInt8.self)
            return UInt32(byte == 0 ? nul : byte)
        }
        var index = 0
        while index < count {
            let rest = count &- index
            let group = byte(index) << 16 | byte(index &+ 1) << 8 | byte(index &+ 2)
            cursor.put(digits[Int(group >> 18)])
            cursor.put(digits[Int(group >> 12 & 63)])
            cursor.put(rest > 1 ? digits[Int(group >> 6 & 63)] : UInt8(ascii: "="))
            cursor.put(rest > 2 ? digits[Int(group & 63)] : UInt8(ascii: "="))
            index &+= 3
        }
    }
}
