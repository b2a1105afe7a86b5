internal import Glibc

/// Secrets that are known by what they look like.
extension Marker {
    /// The credentials of a URL (RFC 3986, 3.2.1): the password; the user too, where that is a token.
    ///
    /// - Parameter start: behind `://`.
    mutating func url(_ start: Int) {
        locate(start &- 3)
        var colon = -1
        var last = -1
        var end = start
        while end < argumentEnd, !endsAuthority(bytes[end]) {
            if bytes[end] == UInt8(ascii: ":"), colon < 0, last < 0 { colon = end }
            if bytes[end] == UInt8(ascii: "@") { last = end }
            end &+= 1
        }
        let isOpen = end == argumentEnd && isCut && argumentEnd == count
        if last < 0, isOpen {
            // Cut before it could be told what it is.
            return mark(colon >= 0 ? colon &+ 1 : start, end)
        }
        if last < 0, colon >= 0, bytes[start] != UInt8(ascii: "["), !isPort(colon &+ 1, end) {
            // A password with a slash or question mark in it, as many programs take it.
            last = lastAt(colon)
            if last < 0 {
                if isCut, argumentEnd == count, withoutAt.to == count { mark(colon &+ 1, count) }
                return
            }
        }
        guard last >= 0 else { return }
        // Where an @ of the password was not encoded, and it is cut behind that.
        if isOpen { last = end }
        let user = start..<(colon >= 0 && colon < last ? colon : last)
        if colon >= 0, colon < last { mark(colon &+ 1, last) }
        if isToken(user) { mark(user.lowerBound, user.upperBound) }
    }

    private func endsAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "\\"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "`"): true
        default: ByteClass.isSpace(byte) || ByteClass.isQuote(byte)
        }
    }

    private func isPort(_ start: Int, _ end: Int) -> Bool {
        end > start && end &- start <= 5 && (start..<end).allSatisfy { ByteClass.isDigit(bytes[$0]) }
    }

    /// The last `@` before a space or quote; -1: none.
    private mutating func lastAt(_ start: Int) -> Int {
        var last = -1
        var at = start
        // No `@` was found from here on before.
        if start >= withoutAt.from, start < withoutAt.to { return -1 }
        while at < argumentEnd, !ByteClass.isSpace(bytes[at]), !ByteClass.isQuote(bytes[at]) {
            if bytes[at] == UInt8(ascii: "@") { last = at }
            at &+= 1
        }
        if last < 0 { withoutAt = (start, at) }
        return last
    }

    /// A user's name that is none: longer than those that people have, or with a token's beginning.
    private func isToken(_ user: Range<Int>) -> Bool {
        user.count >= 20 || BuiltIn.tokens.contains { token in
            guard user.count > token.utf8CodeUnitCount else { return false }
            for offset in 0..<token.utf8CodeUnitCount where ByteClass.fold(bytes[user.lowerBound &+ offset]) != token.utf8Start[offset] { return false }
            return true
        }
    }

    /// What follows the beginning of a token.
    mutating func token(_ start: Int, _ end: Int) {
        locate(start)
        if start > argumentStart, ByteClass.isAlphanumeric(bytes[start &- 1]) { return }
        var to = end
        while to < argumentEnd, ByteClass.isName(bytes[to]) { to &+= 1 }
        if to &- end >= BuiltIn.tokenLength || (isCut && to == count) { mark(end, to) }
    }

    /// A key in PEM (RFC 7468), behind the line that begins it.
    mutating func key(_ start: Int, _ end: Int) {
        locate(start)
        var from = start
        while from > argumentStart, ByteClass.isLetter(bytes[from &- 1]) || bytes[from &- 1] == 0x20 { from &-= 1 }
        if from &+ 4 <= start, has(from..<(from &+ 4), "END ") { return }
        var to = end
        while to < argumentEnd, bytes[to] != UInt8(ascii: "-") { to &+= 1 }
        mark(end, to)
    }

    // MARK: short options of programs

    /// Looks through what follows a program's name for its short options.
    mutating func program(_ index: Int, _ start: Int, _ end: Int) {
        // What another occurrence has walked over.
        guard start >= workspace.programEnds[index] else { return }
        locate(start)
        if start > argumentStart {
            let before = bytes[start &- 1]
            guard ByteClass.precedesWord(before) else { return }
            if !isScript, before != UInt8(ascii: "/") { return }
        }
        let program = BuiltIn.programs[index]
        var words = isScript ? Words(from: end, isList: false, outer: openQuote(at: start)) : Words(from: argumentEnd, isList: true, outer: 0)
        if isScript, end < argumentEnd, ByteClass.isQuote(bytes[end]), bytes[end] == words.outer {
            // 'curl' -u ...
            words.at = end &+ 1
            words.outer = 0
        }
        if !isScript, end != argumentEnd { return }
        var isLoggingIn = false
        var takesLast = false
        var lastWord: Range<Int>?
        while let word = next(&words) {
            lastWord = word
            var from = word.lowerBound
            if !words.isList, ByteClass.isQuote(bytes[from]) { from &+= 1 }
            if has(word, "login") { isLoggingIn = true }
            guard word.upperBound &- from >= 2, bytes[from] == UInt8(ascii: "-"), bytes[from &+ 1] != UInt8(ascii: "-") else { continue }
            if program.onlyLogin, !isLoggingIn { continue }
            if program.form == .last {
                if (from &+ 1..<word.upperBound).contains(where: { program.has(bytes[$0]) }) { takesLast = true }
                continue
            }
            if program.has(bytes[from &+ 1]) {
                if word.upperBound &- from > 2 {
                    credential(from &+ 2, word.upperBound, program.form)
                } else if program.form != .attached, let value = next(&words) {
                    lastWord = value
                    if !isOption(value.lowerBound, value.upperBound) { credential(value.lowerBound, value.upperBound, program.form) }
                }
            } else if program.form != .attached, isCluster(from &+ 1, word.upperBound), program.has(bytes[word.upperBound &- 1]),
                let value = next(&words)
            {
                // -sSu NAME:PASSWORD
                lastWord = value
                if !isOption(value.lowerBound, value.upperBound) { credential(value.lowerBound, value.upperBound, program.form) }
            }
        }
        if takesLast, let lastWord { mark(lastWord.lowerBound, lastWord.upperBound) }
        workspace.programEnds[index] = words.at
    }

    private func isCluster(_ start: Int, _ end: Int) -> Bool {
        end &- start <= 6 && (start..<end).allSatisfy { ByteClass.isLetter(bytes[$0]) }
    }

    private mutating func credential(_ start: Int, _ end: Int, _ form: Program.Form) {
        guard form == .credentials else { return mark(start, end) }
        var at = start
        while at < end, bytes[at] != UInt8(ascii: ":"), bytes[at] != UInt8(ascii: "%"), bytes[at] != UInt8(ascii: ",") { at &+= 1 }
        mark(at &+ 1, end)
    }

    /// What follows a program's name: the arguments behind it, or the words of its command.
    private struct Words {
        var at: Int
        let isList: Bool
        var outer: UInt8

        init(from at: Int, isList: Bool, outer: UInt8) {
            self.at = at
            self.isList = isList
            self.outer = outer
        }
    }

    private func next(_ words: inout Words) -> Range<Int>? {
        if words.isList {
            // At the NUL of the one before.
            let start = words.at &+ 1
            guard start < count else {
                words.at = count
                return nil
            }
            words.at = end(ofArgument: start)
            return start..<words.at
        }
        let start = skipBlanks(words.at)
        words.at = start
        guard start < argumentEnd, bytes[start] != UInt8(ascii: "\n"), !ByteClass.isOperator(bytes[start]), words.outer == 0 || bytes[start] != words.outer
        else { return nil }
        words.at = endOfWord(start, outer: words.outer)
        // A word that ends where it begins would be met again for ever.
        return words.at > start ? start..<words.at : nil
    }

    /// Spaces within a line.
    private func skipBlanks(_ start: Int) -> Int {
        var at = start
        while at < argumentEnd, ByteClass.isSpace(bytes[at]) ? bytes[at] != 0x0a : (bytes[at] == UInt8(ascii: "\\") && at &+ 1 < argumentEnd && bytes[at &+ 1] == 0x0a) {
            at &+= bytes[at] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(at, argumentEnd)
    }
}
