import Glibc

/// Reading files with their errors as complaints: what, and what to do.
enum Files {
    struct Failure: Error {
        let errno: Int32
        let message: String
        let hint: String

        init(errno code: Int32, _ verb: String = "can't be read") {
            errno = code
            message = "\(verb): \(String(cString: strerror(code)))"
            hint =
                switch code {
                case ENOENT, ENOTDIR: "check the path, or create the file"
                case EACCES, EPERM: "run as root, or let this user read it"
                case ELOOP: "remove the circle of symbolic links"
                default: "check the file and the disk it is on"
                }
        }

        init(_ message: String, hint: String) {
            errno = 0
            self.message = message
            self.hint = hint
        }

        var isMissing: Bool { errno == ENOENT || errno == ENOTDIR }
    }

    /// The bytes of a regular file of at most `limit` bytes.
    static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        // Without O_NONBLOCK a FIFO would wait here for its writer.
        let handle = retrying { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard handle >= 0 else { throw Failure(errno: errno) }
        defer { close(handle) }
        var status = stat()
        guard fstat(handle, &status) == 0 else { throw Failure(errno: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw Failure("is a directory", hint: "name a file")
        default: throw Failure("is not a regular file", hint: "name a regular file")
        }
        var bytes: [UInt8] = []
        while bytes.count <= limit {
            let room = min(64 << 10, limit + 1 - bytes.count)
            var code: Int32 = 0
            let part = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                let got = retrying { Glibc.read(handle, buffer.baseAddress, room) }
                if got < 0 { code = errno }
                count = max(got, 0)
            }
            guard code == 0 else { throw Failure(errno: code) }
            if part.isEmpty { return bytes }
            bytes += part
        }
        throw Failure("is larger than \(sizeText(limit))", hint: "split it into files in conf.d")
    }

    /// The names in a directory, sorted by their bytes; none where it does not exist.
    static func names(in path: String) throws(Failure) -> [String] {
        guard let directory = opendir(path) else {
            if errno == ENOENT { return [] }
            throw errno == ENOTDIR ? Failure("is not a directory", hint: "make it a directory, or remove it") : Failure(errno: errno)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw Failure(errno: errno) }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }
}
