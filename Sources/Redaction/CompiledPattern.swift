internal import CPCRE2

/// A compiled regular expression with its limits.
///
/// Interpreted, not compiled to machine code: the limits are exact there, and no page is both written and executed.
struct CompiledPattern {
    /// Steps of the matcher for one attempt (pcre2_set_match_limit(3)); some 100 us.
    static let matchLimit: UInt32 = 10_000
    /// KiB of memory for backtracking.
    static let heapLimit: UInt32 = 1_024
    /// Attempts in one record, over all patterns; behind them what has the literal is masked unseen.
    static let attempts = 256

    /// `pcre2_code`: never changed once it is compiled, so any number of threads may use it (pcre2api(3), MULTITHREADING).
    private let code: OpaquePointer
    private let context: OpaquePointer
    private let hasGroup: Bool

    /// What is wrong with an expression, and where in it.
    struct Refusal: Error {
        let message: String
        let offset: Int
    }

    init(_ regex: String) throws(Refusal) {
        guard !regex.isEmpty else { throw Refusal(message: "it is empty", offset: 0) }
        var error: Int32 = 0
        var offset = 0
        var text = regex
        let compiled = text.withUTF8 { bytes in
            bytes.baseAddress.flatMap { pcre2_compile_8($0, bytes.count, PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nil) }
        }
        guard let compiled else {
            var message = [UInt8](repeating: 0, count: 256)
            let length = pcre2_get_error_message_8(error, &message, message.count)
            throw Refusal(message: String(decoding: message.prefix(Int(max(0, length))), as: UTF8.self), offset: offset)
        }
        var groups: UInt32 = 0
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &groups)
        guard let context = pcre2_match_context_create_8(nil) else {
            pcre2_code_free_8(compiled)
            throw Refusal(message: "no memory", offset: 0)
        }
        pcre2_set_match_limit_8(context, Self.matchLimit)
        pcre2_set_heap_limit_8(context, Self.heapLimit)
        code = compiled
        self.context = context
        hasGroup = groups > 0
    }

    func free() {
        pcre2_code_free_8(code)
        pcre2_match_context_free_8(context)
    }

    /// Room for what one thread matches; nil: no memory.
    static func makeMatch() -> OpaquePointer? { pcre2_match_data_create_8(2, nil) }
    static func free(_ match: OpaquePointer) { pcre2_match_data_free_8(match) }

    /// Hands out what is to be masked, as offsets. Of a subject that is cut also what may go on behind its end.
    ///
    /// - Parameter budget: attempts that are left.
    /// - Returns: false where it could not be settled: a limit was reached.
    func matches(_ subject: UnsafeBufferPointer<UInt8>, isCut: Bool, _ match: OpaquePointer?, _ budget: inout Int, _ found: (Int, Int) -> Void) -> Bool {
        guard let match, let offsets = pcre2_get_ovector_pointer_8(match) else { return false }
        let options = isCut ? PCRE2_PARTIAL_HARD : 0
        var from = 0
        while from <= subject.count {
            guard budget > 0 else { return false }
            budget -= 1
            let result = pcre2_match_8(code, subject.baseAddress, subject.count, from, options, match, context)
            if result == PCRE2_ERROR_NOMATCH { return true }
            if result == PCRE2_ERROR_PARTIAL {
                if offsets[0] < subject.count { found(offsets[0], subject.count) }
                return true
            }
            guard result >= 0 else { return false }
            // A group that took no part has no place (PCRE2_UNSET). \K may put the start behind the end.
            var start = offsets[0], end = offsets[1]
            if hasGroup, result == 0 || result > 1, offsets[2] <= subject.count, offsets[3] <= subject.count { (start, end) = (offsets[2], offsets[3]) }
            if start < end { found(start, end) }
            from = max(offsets[1], from)
            if offsets[1] <= offsets[0] || offsets[1] < from { from += 1 }
        }
        return true
    }
}
