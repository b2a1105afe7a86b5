/// Names and what they name.
extension Marker {
    /// A name of a secret that ends at `end`: what it is the name of, and how, settles where the secret lies.
    mutating func name(_ start: Int, _ end: Int, _ flags: NameFlags) {
        locate(start)
        var from = start
        while from > argumentStart, ByteClass.isName(bytes[from &- 1]) { from &-= 1 }
        if flags.contains(.word), !beginsWord(start, from) { return }
        var first = from
        while first < start, bytes[first] == UInt8(ascii: "-") { first &+= 1 }
        let dashes = first &- from
        if redactor.keeps(bytes, first, end) { return }
        let place = NamePlace(left: from > argumentStart ? bytes[from &- 1] : 0, from: from, flags: flags)

        // The quote that the name stands in may close behind it, escaped or not: {"password": "x"}.
        var at = end
        var isQuoted = false
        if ByteClass.isQuote(place.left), at < argumentEnd {
            if bytes[at] == place.left { at &+= 1 } else if bytes[at] == UInt8(ascii: "\\"), at &+ 1 < argumentEnd, bytes[at &+ 1] == place.left { at &+= 2 }
            isQuoted = at > end
        }
        while at < argumentEnd, bytes[at] == UInt8(ascii: "]") { at &+= 1 }

        let behind = skipSpaces(at)
        let separator = behind < argumentEnd ? bytes[behind] : 0
        // Spaces before it are for files and texts; in a script they end the word, and behind an option's name too.
        let isNear = behind == at || (dashes == 0 && (!isScript || openQuote(at: from) != 0))
        if separator == UInt8(ascii: "="), isNear {
            value(behind > at ? skipSpaces(behind &+ 1) : behind &+ 1, place, isQuoted: isQuoted)
        } else if separator == UInt8(ascii: ":"), isNear, form != .path {
            if flags.contains(.word), place.left != 0, !isQuoted { return }
            if has(behind &+ 1, "//") { return }
            var next = behind &+ 1
            if next < argumentEnd, bytes[next] == UInt8(ascii: "=") { next &+= 1 }
            field(skipSpaces(next), place, isQuoted: isQuoted)
        } else if form != .path {
            if flags.contains(.scheme), dashes == 0, behind > at {
                mark(behind, endOfWord(behind, outer: isScript ? openQuote(at: from) : ByteClass.isQuote(place.left) ? place.left : 0))
            } else if dashes > 0 {
                if !redactor.negates(bytes, first, end) { option(at, behind, place, isQuoted: isQuoted) }
            } else if at == argumentEnd, place.left == 0, isSet {
                nextArgument()
            }
        }
    }

    /// Where a name stands.
    struct NamePlace {
        /// The byte before it; 0: it begins the argument.
        let left: UInt8
        let from: Int
        let flags: NameFlags
    }

    private func beginsWord(_ start: Int, _ from: Int) -> Bool {
        guard start > from else { return true }
        let before = bytes[start &- 1]
        // dbPass
        return !ByteClass.isAlphanumeric(before) || (before &- 0x61 < 26 && bytes[start] &- 0x41 < 26)
    }

    private func has(_ at: Int, _ text: StaticString) -> Bool {
        at &+ text.utf8CodeUnitCount <= argumentEnd && has(at..<(at &+ text.utf8CodeUnitCount), text)
    }

    /// `git config x.password VALUE`, `aws configure set ... VALUE`.
    private var isSet: Bool {
        guard let before = argument(before: argumentStart) else { return false }
        return has(before, "set") || has(before, "SET") || has(before, "config") || has(before, "--global") || has(before, "--system")
            || has(before, "--local") || has(before, "--add")
    }

    /// NAME=VALUE
    private mutating func value(_ start: Int, _ place: NamePlace, isQuoted: Bool) {
        guard start < argumentEnd else { return }
        if place.left == UInt8(ascii: "?") || place.left == UInt8(ascii: "&") { return parameter(start, place) }
        if isQuoted { return field(start, place, isQuoted: true) }
        if isScript {
            let open = openQuote(at: place.from)
            // "NAME=a b": all of what is quoted.
            let end = open != 0 && place.left == open ? endOfQuote(start, open) : endOfWord(start, outer: open)
            return secret(start, end, place)
        }
        if ByteClass.isQuote(place.left) { return secret(start, endOfQuote(start, place.left), place) }
        let isInText = ByteClass.isSpace(place.left) || ByteClass.isOperator(place.left)
        secret(start, isInText ? endOfWord(start) : argumentEnd, place)
    }

    /// ?NAME=VALUE&... of a URL or form
    private mutating func parameter(_ start: Int, _ place: NamePlace) {
        let open = isScript ? openQuote(at: place.from) : 0
        var limit = argumentEnd
        if isScript { limit = open != 0 ? endOfQuote(start, open) : endOfWord(start) }
        var end = start
        while end < limit, bytes[end] != UInt8(ascii: "&") { end &+= 1 }
        secret(start, end, place)
    }

    /// NAME: VALUE of a header or of JSON, from the value on
    private mutating func field(_ start: Int, _ place: NamePlace, isQuoted: Bool) {
        guard start < argumentEnd else { return }
        var at = start
        let isEscaped = bytes[at] == UInt8(ascii: "\\") && at &+ 1 < argumentEnd && ByteClass.isQuote(bytes[at &+ 1])
        if isEscaped { at &+= 1 }
        if ByteClass.isQuote(bytes[at]) && (isQuoted || bytes[at] != place.left) {
            // {\"password\":\"x\"} within quotes of a shell: the same backslash closes it.
            var end = at &+ 1
            if isEscaped {
                while end < argumentEnd, !(bytes[end] == UInt8(ascii: "\\") && has(end &+ 1, bytes[at]) && bytes[end &- 1] != UInt8(ascii: "\\")) { end &+= 1 }
            } else {
                end = endOfQuote(end, bytes[at])
            }
            return mark(at &+ 1, end)
        }
        if isQuoted {
            if has(at, Redactor.mask) { return }
            // A number, or more than one value.
            if bytes[at] == UInt8(ascii: "{") || bytes[at] == UInt8(ascii: "[") { return mark(at, argumentEnd) }
            var end = at
            while end < argumentEnd, !ByteClass.isSpace(bytes[end]), bytes[end] != UInt8(ascii: ","), bytes[end] != UInt8(ascii: "}") { end &+= 1 }
            return mark(at, end)
        }
        at = skipScheme(at)
        if isScript {
            let open = openQuote(at: place.from)
            return secret(at, open != 0 ? endOfQuote(at, open) : endOfWord(at), place)
        }
        if ByteClass.isQuote(place.left) { return secret(at, endOfQuote(at, place.left), place) }
        // A header goes to the end of its line.
        var end = at
        while end < argumentEnd, bytes[end] != UInt8(ascii: "\n") { end &+= 1 }
        secret(at, end, place)
    }

    private func has(_ at: Int, _ byte: UInt8) -> Bool { at < argumentEnd && bytes[at] == byte }

    /// Behind the name of a scheme of HTTP authentication (RFC 9110, 11.1).
    private func skipScheme(_ start: Int) -> Int {
        var end = start
        while end < argumentEnd, ByteClass.isLetter(bytes[end]) { end &+= 1 }
        guard end > start, end < argumentEnd, bytes[end] == 0x20, BuiltInSchemes.has(bytes, start, end) else { return start }
        return skipSpaces(end)
    }

    /// --NAME VALUE
    private mutating func option(_ at: Int, _ behind: Int, _ place: NamePlace, isQuoted: Bool) {
        if at == argumentEnd {
            if place.left == 0 { nextArgument(place.flags) }
            return
        }
        var start = behind
        // ["--password", "x"]
        if isQuoted, start < argumentEnd, bytes[start] == UInt8(ascii: ",") { start = skipSpaces(start &+ 1) }
        guard start > at, place.left == 0 || ByteClass.isSpace(place.left) || ByteClass.isOperator(place.left) || ByteClass.isQuote(place.left)
        else { return }
        let open = isScript && !isQuoted ? openQuote(at: place.from) : 0
        let end = endOfWord(start, outer: open)
        if !isOption(start, end) { secret(start, end, place) }
    }

    /// The argument behind the one at hand.
    mutating func nextArgument(_ flags: NameFlags = []) {
        let start = argumentEnd &+ 1
        guard start < count else { return }
        let end = end(ofArgument: start)
        if isOption(start, end) || (flags.contains(.path) && isPath(start, end)) { return }
        mark(start, end)
    }

    private mutating func secret(_ start: Int, _ end: Int, _ place: NamePlace) {
        if place.flags.contains(.path), isPath(start, end) { return }
        mark(start, end)
    }

    /// Whether it can only be a path. Base64 may begin with a slash, but no key of a length that is worth one is without its padding.
    private func isPath(_ start: Int, _ end: Int) -> Bool {
        guard start < end, bytes[end &- 1] != UInt8(ascii: "="), !(isCut && end == count) else { return false }
        if bytes[start] == UInt8(ascii: "/") { return true }
        return end &- start >= 2 && bytes[start &+ 1] == UInt8(ascii: "/") && (bytes[start] == UInt8(ascii: ".") || bytes[start] == UInt8(ascii: "~"))
            || end &- start >= 3 && bytes[start] == UInt8(ascii: ".") && bytes[start &+ 1] == UInt8(ascii: ".") && bytes[start &+ 2] == UInt8(ascii: "/")
    }
}

/// Schemes of HTTP authentication, which stay before what is masked.
enum BuiltInSchemes {
    static let names: [StaticString] = ["basic", "bearer", "digest", "token", "negotiate", "ntlm", "apikey", "splunk"]

    static func has(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        names.contains { name in
            guard name.utf8CodeUnitCount == end &- start else { return false }
            for offset in 0..<(end &- start) where ByteClass.fold(bytes[start &+ offset]) != name.utf8Start[offset] { return false }
            return true
        }
    }
}
