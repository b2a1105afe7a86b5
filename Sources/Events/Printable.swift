/// Bytes of any value as text that does no harm on a terminal: what is not printable, or is not UTF-8, becomes an escape
/// that can be seen, and a backslash is doubled so that no such escape can be feigned.
enum Printable {
    /// At most this many bytes for one: \xNN.
    static let expansion = 4

    static func write(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Cursor) {
        guard let start = bytes.baseAddress else { return }
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x80 {
                ascii(byte, &cursor)
                index += 1
                continue
            }
            let (length, valid) = UTF8Sequence.measure(start + index, bytes.count - index)
            if valid {
                let scalar = decode(start + index, length)
                if isSafe(scalar) {
                    cursor.copy(start + index, length)
                } else {
                    cursor.put("\\u{")
                    cursor.hexadecimal(UInt64(scalar), width: scalar < 0x100 ? 2 : scalar < 0x10000 ? 4 : 5)
                    cursor.put("}")
                }
            } else {
                for offset in 0..<length { hexadecimal(bytes[index + offset], &cursor) }
            }
            index += length
        }
    }

    /// The arguments of a process, each ended by a NUL, with quotes where one is empty or has a space in it.
    static func writeArguments(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Cursor) {
        var from = 0
        while from < bytes.count {
            var end = from
            var quoted = false
            while end < bytes.count, bytes[end] != 0 {
                if bytes[end] == UInt8(ascii: " ") || bytes[end] == UInt8(ascii: "'") || bytes[end] == UInt8(ascii: "\"") { quoted = true }
                end += 1
            }
            if from > 0 { cursor.put(" ") }
            quoted = quoted || end == from
            if quoted { cursor.put("'") }
            write(UnsafeRawBufferPointer(rebasing: bytes[from..<end]), &cursor)
            if quoted { cursor.put("'") }
            from = end + 1
        }
    }

    private static func ascii(_ byte: UInt8, _ cursor: inout Cursor) {
        switch byte {
        case UInt8(ascii: "\\"): cursor.put("\\\\")
        case 0x0a: cursor.put("\\n")
        case 0x0d: cursor.put("\\r")
        case 0x09: cursor.put("\\t")
        case 0x20..<0x7f: cursor.put(byte)
        default: hexadecimal(byte, &cursor)
        }
    }

    private static func hexadecimal(_ byte: UInt8, _ cursor: inout Cursor) {
        cursor.put("\\x")
        cursor.hexadecimal(UInt64(byte), width: 2)
    }

    /// Of a sequence that is known to be valid.
    private static func decode(_ from: UnsafeRawPointer, _ length: Int) -> UInt32 {
        let first = UInt32(from.load(as: UInt8.self))
        var scalar = length == 2 ? first & 0x1f : length == 3 ? first & 0x0f : first & 0x07
        for index in 1..<length { scalar = scalar << 6 | UInt32(from.load(fromByteOffset: index, as: UInt8.self)) & 0x3f }
        return scalar
    }

    /// Not C1 controls, nor what changes the direction of text, breaks lines, or shows nothing (Unicode categories Cc, Cf,
    /// Zl, Zp and noncharacters, so far as they matter on a terminal).
    private static func isSafe(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x80...0x9f, 0xad, 0x61c, 0x115f, 0x1160, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0x3164, 0xfeff, 0xffa0,
            0xfff0...0xfffb, 0xfffe, 0xffff, 0xe0000...0x10ffff:
            false
        default: true
        }
    }
}

/// Columns that text which went through `Printable` takes on a terminal.
enum Columns {
    /// Of one character: two for the wide ones of East Asia and for pictures (Unicode Standard Annex 11, so far as it
    /// matters here). A combining mark counts as one too, or a name made of them would have no end.
    private static func width(_ scalar: UInt32) -> Int {
        switch scalar {
        case 0x1100...0x115e, 0x2e80...0x303e, 0x3041...0xa4cf, 0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f,
            0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1faff, 0x20000...0x3fffd:
            2
        default: 1
        }
    }

    /// Each character's length in bytes and width in columns, in order.
    private static func scan(_ text: UnsafeRawBufferPointer, _ body: (_ length: Int, _ width: Int) -> Bool) {
        var index = 0
        while index < text.count {
            let first = text[index]
            let length = min(first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4, text.count - index)
            var scalar = UInt32(first)
            if length > 1 {
                scalar = UInt32(first) & (length == 2 ? 0x1f : length == 3 ? 0x0f : 0x07)
                for offset in 1..<length { scalar = scalar << 6 | UInt32(text[index + offset]) & 0x3f }
            }
            if !body(length, width(scalar)) { return }
            index += length
        }
    }

    static func count(_ text: UnsafeRawBufferPointer) -> Int {
        var sum = 0
        scan(text) { _, width in
            sum += width
            return true
        }
        return sum
    }

    /// Writes the text, or its beginning and its end with an ellipsis between them where it is wider than `limit`.
    ///
    /// - Returns: columns written.
    @discardableResult
    static func fit(_ text: UnsafeRawBufferPointer, _ limit: Int, _ cursor: inout Cursor) -> Int {
        guard let start = text.baseAddress else { return 0 }
        let total = count(text)
        if total <= limit {
            cursor.copy(start, text.count)
            return total
        }
        guard limit > 0 else { return 0 }
        let headLimit = limit / 2
        let tailLimit = limit - 1 - headLimit
        var head = 0
        var headColumns = 0
        scan(text) { length, width in
            guard headColumns + width <= headLimit else { return false }
            headColumns += width
            head += length
            return true
        }
        // The tail begins at the first character behind which no more than its share is left.
        var tail = 0
        var left = total
        scan(text) { length, width in
            guard left > tailLimit else { return false }
            left -= width
            tail += length
            return true
        }
        cursor.copy(start, head)
        cursor.put("…")
        cursor.copy(start + tail, text.count - tail)
        return headColumns + 1 + left
    }
}
