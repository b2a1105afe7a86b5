internal import Glibc

/// What bytes are to be read as.
enum TextForm {
    /// Arguments, each ended by a NUL.
    case arguments
    /// Words as a shell has them: a script, the arguments of a kernel module.
    case script
    /// A path: nothing in it is an option.
    case path
}

/// Settles what each literal that was found makes a secret, and marks its bytes. Marks overlap as they like: each run of them
/// becomes one mask.
///
/// Literals have to come in the order of their ends. What is looked at more than once is remembered, so that bytes made to
/// be costly are not: all is linear in them, but for programs, of which each walks over them once.
struct Marker {
    let redactor: Redactor
    let bytes: UnsafePointer<UInt8>
    let count: Int
    /// As many as there are bytes; 1: masked.
    let marks: UnsafeMutablePointer<UInt8>
    let form: TextForm
    /// The last argument goes on where the bytes end.
    let isCut: Bool
    var workspace: RedactionScratch.Workspace

    /// The argument at hand.
    var argumentStart = 0
    var argumentEnd = 0
    /// It is a script.
    var isScript = false
    /// Which quote is open in the script, and up to where that is known.
    private var quote: UInt8 = 0
    private var quoteAt = 0
    /// No `@` from the first to the second.
    var withoutAt = (from: 0, to: 0)
    private(set) var marked = false

    init(
        _ redactor: Redactor, _ bytes: UnsafePointer<UInt8>, _ count: Int, marks: UnsafeMutablePointer<UInt8>, form: TextForm, isCut: Bool,
        workspace: RedactionScratch.Workspace
    ) {
        self.redactor = redactor
        self.bytes = bytes
        self.count = count
        self.marks = marks
        self.form = form
        self.isCut = isCut
        self.workspace = workspace
        argumentEnd = -1
    }

    mutating func take(_ literal: borrowing Literal, _ start: Int) {
        let end = start &+ Int(literal.length)
        switch literal.kind {
        case .pattern:
            locate(start)
            pattern(Int(literal.payload))
        case .program:
            if form != .path { program(Int(literal.payload), start, end) }
        case .name:
            // What is masked already is masked to the end of all that it may mean.
            if marks[start] == 0 { name(start, end, literal.flags) }
        case .url:
            if marks[start] == 0 { url(end) }
        case .token:
            if marks[start] == 0 { token(start, end) }
        case .key:
            if marks[start] == 0 { key(start, end) }
        }
    }

    mutating func mark(_ start: Int, _ end: Int) {
        guard start < end else { return }
        memset(marks + start, 1, end &- start)
        marked = true
    }

    // MARK: where it stands

    /// Sets the argument at hand to that of a place, which is not before it.
    mutating func locate(_ place: Int) {
        if place < argumentEnd { return }
        argumentStart = place
        while argumentStart > 0, bytes[argumentStart &- 1] != 0 { argumentStart &-= 1 }
        argumentEnd = end(ofArgument: place)
        quote = 0
        quoteAt = argumentStart
        isScript =
            switch form {
            case .arguments: takesScript(before: argumentStart) || isTitle
            case .script: true
            case .path: false
            }
    }

    func end(ofArgument start: Int) -> Int {
        guard let nul = memchr(bytes + start, 0, count &- start) else { return count }
        return UnsafeRawPointer(nul) - UnsafeRawPointer(bytes)
    }

    /// The argument before one.
    func argument(before start: Int) -> Range<Int>? {
        guard start > 0 else { return nil }
        var from = start &- 1
        while from > 0, bytes[from &- 1] != 0 { from &-= 1 }
        return from..<(start &- 1)
    }

    /// Behind `-c`, `-lc` or `--command` comes a script.
    private func takesScript(before start: Int) -> Bool {
        guard let option = argument(before: start), option.count >= 2, bytes[option.lowerBound] == UInt8(ascii: "-") else { return false }
        if has(option, "--command") { return true }
        return option.count <= 8 && bytes[option.upperBound &- 1] == UInt8(ascii: "c")
            && option.dropFirst().allSatisfy { ByteClass.isLetter(bytes[$0]) }
    }

    /// All of it is one argument, as where a program has written a title over its arguments.
    private var isTitle: Bool { argumentStart == 0 && argumentEnd >= count &- 1 }

    func has(_ range: Range<Int>, _ text: StaticString) -> Bool {
        range.count == text.utf8CodeUnitCount && memcmp(bytes + range.lowerBound, text.utf8Start, range.count) == 0
    }

    /// Which quote is open before a place of the script; 0: none.
    mutating func openQuote(at place: Int) -> UInt8 {
        if place < quoteAt {
            quote = 0
            quoteAt = argumentStart
        }
        while quoteAt < place {
            let byte = bytes[quoteAt]
            if byte == UInt8(ascii: "\\"), quote != UInt8(ascii: "'") {
                // An escaped quote closes nothing; the byte is left out even where it lies beyond `place`.
                quoteAt &+= 1
            } else if quote == 0 {
                if ByteClass.isQuote(byte) { quote = byte }
            } else if byte == quote {
                quote = 0
            }
            quoteAt &+= 1
        }
        return quote
    }

    // MARK: where it ends

    /// The end of a word of the shell that begins at `start`, also at an `outer` quote that is open around it.
    func endOfWord(_ start: Int, outer: UInt8 = 0) -> Int {
        var at = start
        var inner: UInt8 = 0
        // Within `$( )`, and in a command between backticks that the word begins with.
        var depth = 0
        let ticks = at < argumentEnd && bytes[at] == UInt8(ascii: "`")
        if ticks { at &+= 1 }
        while at < argumentEnd {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\\"), inner != UInt8(ascii: "'") {
                at &+= 2
                continue
            }
            if inner != 0 {
                if byte == inner { inner = 0 }
            } else if outer != 0, byte == outer {
                return at
            } else if ByteClass.isQuote(byte) {
                inner = byte
            } else if byte == UInt8(ascii: "$"), at &+ 1 < argumentEnd, bytes[at &+ 1] == UInt8(ascii: "(") {
                depth &+= 1
                at &+= 1
            } else if depth > 0 {
                if byte == UInt8(ascii: ")") { depth &-= 1 }
            } else if ticks {
                if byte == UInt8(ascii: "`") { return at &+ 1 }
            } else if ByteClass.isSpace(byte) || ByteClass.isOperator(byte) {
                return at
            }
            at &+= 1
        }
        return argumentEnd
    }

    /// The next place of a byte that no backslash stands before, or the argument's end.
    func endOfQuote(_ start: Int, _ quote: UInt8) -> Int {
        var at = start
        while at < argumentEnd, bytes[at] != quote { at &+= bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
        return min(at, argumentEnd)
    }

    func skipSpaces(_ start: Int) -> Int {
        var at = start
        while at < argumentEnd {
            if ByteClass.isSpace(bytes[at]) { at &+= 1 } else if isContinuation(at) { at &+= 2 } else { break }
        }
        return at
    }

    /// A line that goes on behind its end.
    private func isContinuation(_ at: Int) -> Bool {
        bytes[at] == UInt8(ascii: "\\") && at &+ 1 < argumentEnd && bytes[at &+ 1] == UInt8(ascii: "\n")
    }

    /// Whether a word is an option and so no value: `-x`, `--word` or `--word=...`.
    func isOption(_ start: Int, _ end: Int) -> Bool {
        guard end &- start >= 2, bytes[start] == UInt8(ascii: "-") else { return false }
        if end &- start == 2 { return ByteClass.isLetter(bytes[start &+ 1]) || bytes[start &+ 1] == UInt8(ascii: "-") }
        guard bytes[start &+ 1] == UInt8(ascii: "-"), bytes[start &+ 2] &- 0x61 < 26 else { return false }
        var at = start &+ 3
        while at < end, bytes[at] != UInt8(ascii: "=") {
            guard bytes[at] &- 0x61 < 26 || ByteClass.isDigit(bytes[at]) || bytes[at] == UInt8(ascii: "-") else { return false }
            at &+= 1
        }
        return true
    }

    // MARK: patterns

    /// Tries a pattern on the argument at hand, once.
    private mutating func pattern(_ index: Int) {
        guard workspace.patternTried[index] != argumentStart else { return }
        workspace.patternTried[index] = argumentStart
        guard marks[argumentStart] == 0 || memchr(marks + argumentStart, 0, argumentEnd &- argumentStart) != nil else { return }
        let subject = UnsafeBufferPointer(start: bytes + argumentStart, count: argumentEnd &- argumentStart)
        let budget = workspace.budget
        var found: (Int, Int)?
        // What can't be settled is masked.
        let settled =
            budget.pointee > 0
            && redactor.patterns[index].matches(subject, isCut: isCut && argumentEnd == count, workspace.match, &budget.pointee) { start, end in
                memset(marks + argumentStart + start, 1, end &- start)
                found = (start, end)
            }
        if found != nil { marked = true }
        if !settled {
            budget.pointee = 0
            workspace.unsettled.pointee |= 1 << UInt64(min(index, 63))
            mark(argumentStart, argumentEnd)
        }
    }
}
