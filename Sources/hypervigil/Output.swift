import Glibc

/// Standard output and standard error, unbuffered.
enum Output {
    static func write(_ text: String) throws(Failure) {
        let code = write(Array(text.utf8), to: STDOUT_FILENO)
        guard code == 0 else {
            throw Failure(
                code: EX_IOERR, line: "hypervigil: standard output: \(String(cString: strerror(code))); make room or name another place")
        }
    }

    /// One line on standard error, whatever `text` contains.
    static func complain(_ text: String) {
        let line = text.split(whereSeparator: \.isNewline).map { $0.drop { $0 == " " } }.joined(separator: " ")
        _ = write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }

    /// A line, and below it what it is about, as it is.
    static func complain(_ failure: Failure) {
        complain(failure.line)
        for line in failure.excerpt { _ = write(Array((line + "\n").utf8), to: STDERR_FILENO) }
    }

    /// - Returns: 0 or errno.
    private static func write(_ bytes: [UInt8], to handle: Int32) -> Int32 {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let written = Glibc.write(handle, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if written >= 0 { rest = rest.dropFirst(written) } else if errno != EINTR { return errno }
            }
            return 0
        }
    }
}
