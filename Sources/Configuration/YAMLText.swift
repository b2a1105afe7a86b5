internal import FilterLanguage

/// A value as YAML has it; reading it gives the same value again.
enum YAMLText: Equatable, Sendable {
    case scalar(String)
    case list([String])

    /// On one line.
    var inline: String {
        switch self {
        case .scalar(let text): text
        case .list(let items): "[" + items.joined(separator: ", ") + "]"
        }
    }
}

/// `text` as a YAML scalar, in double quotes unless it is plain beyond doubt.
func yamlScalar(_ text: String) -> String {
    func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "@"):
            true
        default: false
        }
    }
    if text.hasPrefix("/"), text.utf8.allSatisfy(isPlain) { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
        if scalar == "\"" || scalar == "\\" {
            result += "\\"
            result.unicodeScalars.append(scalar)
        } else if mustEscape(scalar) {
            result += escape(scalar)
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
