/// `text` with what would break a line or steer a terminal written as escapes, so that it stays on its line and can't hide.
package func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: mustEscape) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if mustEscape(scalar) { result += escape(scalar) } else { result.unicodeScalars.append(scalar) }
    }
    return result
}

/// `text` in quotes, printable and cut to a length that leaves a message readable.
package func quoted(_ text: String) -> String {
    let limit = 60
    let start = String(text.unicodeScalars.prefix(limit))
    return "\"" + printable(start) + (start.unicodeScalars.count < text.unicodeScalars.count ? "...\"" : "\"")
}

/// Controls, line breaks as YAML 1.1 counts them (U+0085, U+2028, U+2029), direction marks, and what YAML does not allow unescaped.
package func mustEscape(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x00...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF, 0xFFFE, 0xFFFF: true
    default: false
    }
}

/// An escape of YAML's double-quoted style.
package func escape(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": return "\\n"
    case "\t": return "\\t"
    case "\r": return "\\r"
    default:
        let digits = String(scalar.value, radix: 16, uppercase: true)
        let width = scalar.value <= 0xFF ? 2 : 4
        return (width == 2 ? "\\x" : "\\u") + String(repeating: "0", count: width - digits.count) + digits
    }
}
