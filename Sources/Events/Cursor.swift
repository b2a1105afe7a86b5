/// Where the next byte goes. It checks no bounds: `ByteWriter.reserve` has made room for the worst case.
///
/// The operations are inlined and constants are `StaticString`, so that a literal becomes a few stores.
package struct Cursor {
    /// Bytes that may be written behind the end, because words are stored whole.
    static let slack = 32

    package var position: UnsafeMutableRawPointer

    @inline(__always) package init(_ position: UnsafeMutableRawPointer) { self.position = position }

    @inline(__always) package mutating func put(_ byte: UInt8) {
        position.storeBytes(of: byte, as: UInt8.self)
        position += 1
    }

    @inline(__always) package mutating func put(_ text: StaticString) { copy(text.utf8Start, text.utf8CodeUnitCount) }

    @inline(__always) mutating func copy(_ from: UnsafeRawPointer, _ count: Int) {
        position.copyMemory(from: from, byteCount: count)
        position += count
    }

    @inline(__always) mutating func copy(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { if let start = $0.baseAddress { copy(start, $0.count) } }
    }

    /// In decimal.
    @inline(__always) mutating func number(_ value: UInt64) { position = Decimal.write(value, to: position) }
    @inline(__always) package mutating func number(_ value: UInt32) { position = Decimal.write(UInt64(value), to: position) }
    @inline(__always) mutating func number(_ value: UInt16) { position = Decimal.write(UInt64(value), to: position) }

    /// The same, for what mostly has one digit or two.
    @inline(__always) mutating func small(_ value: UInt32) {
        if value < 10 {
            put(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value))
        } else if value < 100 {
            Decimal.pair(UInt64(value), to: position)
            position += 2
        } else {
            number(value)
        }
    }

    /// As a JSON string: identifiers, and what may pass 2^53.
    @inline(__always) mutating func quoted(_ value: UInt64) {
        put(UInt8(ascii: "\""))
        number(value)
        put(UInt8(ascii: "\""))
    }
    @inline(__always) mutating func quoted(_ value: UInt32) { quoted(UInt64(value)) }

    /// A user's or group's id: most often root's.
    @inline(__always) mutating func owner(_ value: UInt32) {
        put(UInt8(ascii: "\""))
        small(value)
        put(UInt8(ascii: "\""))
    }

    /// A count or a size; Elasticsearch's `long` ends at 2^63 - 1, and so does this.
    @inline(__always) mutating func long(_ value: UInt64) { number(min(value, UInt64(Int64.max))) }

    @inline(__always) mutating func boolean(_ value: Bool) { if value { put("true") } else { put("false") } }

    /// `width` hexadecimal digits, lower case.
    @inline(__always) package mutating func hexadecimal(_ value: UInt64, width: Int) {
        let digits: StaticString = "0123456789abcdef"
        var shift = (width - 1) * 4
        while shift >= 0 {
            put(digits.utf8Start[Int(value >> UInt64(shift) & 15)])
            shift -= 4
        }
    }

    /// Four octal digits, as chmod(1) takes them.
    @inline(__always) package mutating func octal(_ value: UInt32) {
        put(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value >> 9 & 7))
        put(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value >> 6 & 7))
        put(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value >> 3 & 7))
        put(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value & 7))
    }

    /// A device number as /proc/self/mountinfo has it, `major:minor`.
    @inline(__always) package mutating func device(_ value: UInt32) {
        small(value >> 20)
        put(UInt8(ascii: ":"))
        small(value & 0xfffff)
    }
}

/// Decimal digits, two at a time.
enum Decimal {
    @inline(__always) static var pairs: UnsafePointer<UInt8> {
        let table: StaticString = """
            0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
            5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
            """
        return table.utf8Start
    }

    @inline(__always) static func pair(_ value: UInt64, to position: UnsafeMutableRawPointer) {
        let digits = UnsafeRawPointer(pairs).loadUnaligned(fromByteOffset: Int(truncatingIfNeeded: value) &* 2, as: UInt16.self)
        position.storeBytes(of: digits, as: UInt16.self)
    }

    /// Eight digits at once, the first in the lowest byte: the number is split into halves of four digits, of two and of
    /// one, all lanes of a word at a time. The factors are 1/100 and 1/10 scaled by powers of two, exact for these ranges.
    @inline(__always) static func eight(_ value: UInt64) -> UInt64 {
        let high = value / 10000
        let fours = high | (value &- high &* 10000) &<< 32
        let hundreds = (fours &* 10486) &>> 20 & 0x0000_007f_0000_007f
        let twos = hundreds | (fours &- hundreds &* 100) &<< 16
        let tens = (twos &* 103) &>> 10 & 0x000f_000f_000f_000f
        return tens | (twos &- tens &* 10) &<< 8
    }

    @inline(__always) static func store(eight digits: UInt64, to position: UnsafeMutableRawPointer) {
        position.storeBytes(of: (digits | 0x3030_3030_3030_3030).littleEndian, as: UInt64.self)
    }

    /// Less than 100,000,000, without leading zeroes. Stores eight bytes whatever the length.
    @inline(__always) private static func head(_ value: UInt64, to position: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let digits = eight(value)
        // The last digit stays, also of 0.
        let leading = (digits | 1 &<< 56).trailingZeroBitCount & ~7
        position.storeBytes(of: ((digits | 0x3030_3030_3030_3030) &>> UInt64(truncatingIfNeeded: leading)).littleEndian, as: UInt64.self)
        return position + (8 &- leading &>> 3)
    }

    /// Less than 100,000,000.
    @inline(__always) private static func short(_ value: UInt64, to position: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        if value < 100 { return atMostTwo(value, to: position) }
        if value < 10000 {
            let upper = value / 100
            let at = atMostTwo(upper, to: position)
            pair(value &- upper &* 100, to: at)
            return at + 2
        }
        return head(value, to: position)
    }

    @inline(__always) private static func atMostTwo(_ value: UInt64, to position: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        if value < 10 {
            position.storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value), as: UInt8.self)
            return position + 1
        }
        pair(value, to: position)
        return position + 2
    }

    @inline(never) static func write(_ value: UInt64, to position: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let limit: UInt64 = 100_000_000
        if value < limit { return short(value, to: position) }
        let upper = value / limit
        var at: UnsafeMutableRawPointer
        if upper < limit {
            at = short(upper, to: position)
        } else {
            at = short(upper / limit, to: position)
            store(eight: eight(upper % limit), to: at)
            at += 8
        }
        store(eight: eight(value &- upper &* limit), to: at)
        return at + 8
    }
}
