internal import Glibc
internal import KernelABI

/// What is known of a login session. Bytes are printable ASCII without spaces.
struct SessionFacts: Sendable, Equatable {
    /// An address or host name, as PAM told it; empty: local, or not known.
    var remote: [UInt8] = []
    /// Below /dev; empty: none.
    var terminal: [UInt8] = []

    /// Of a name in the DNS 253, and an address with its scope is shorter.
    static let longestRemote = 255
    /// UT_LINESIZE (bits/utmp.h) is 32.
    static let longestTerminal = 63

    static func printable(_ text: some Collection<UInt8>, atMost most: Int) -> [UInt8] {
        guard text.count <= most, text.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) else { return [] }
        return Array(text)
    }
}

/// A file that systemd-logind (or elogind) keeps of a session, /run/systemd/sessions/ID: KEY=VALUE lines (session_save,
/// src/login/logind-session.c). The ID is that of the kernel's audit session where there is one. They say of themselves that they are private, but
/// have been as they are since 2011, and reading them needs no D-Bus and no answer of a daemon's.
enum SessionFile {
    /// - Returns: nil: it is no session's, or that of another audit session.
    static func parse(_ text: [UInt8], session: UInt32) -> SessionFacts? {
        var facts = SessionFacts()
        var isSession = false
        for line in text.split(separator: 0x0a) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let value = line[(equals + 1)...]
            switch String(decoding: line[..<equals], as: UTF8.self) {
            case "UID": isSession = (decimal(value) as UInt32?) != nil
            case "AUDIT": if decimal(value) != session { return nil }
            case "REMOTE_HOST": facts.remote = SessionFacts.printable(value, atMost: SessionFacts.longestRemote)
            case "TTY": facts.terminal = SessionFacts.printable(value, atMost: SessionFacts.longestTerminal)
            default: break
            }
        }
        return isSession ? facts : nil
    }

    static func read(folder: String, session: UInt32) -> SessionFacts? {
        let descriptor = hv_open_regular("\(folder)/\(session)")
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard let (text, whole) = readUpTo(64 << 10, descriptor), whole else { return nil }
        return parse(text, session: session)
    }
}

/// utmp(5): records of logins, for where no logind is.
enum LoginRecords {
    static let size = MemoryLayout<utmp>.size

    /// The session on a terminal.
    ///
    /// - Parameters:
    ///   - terminal: below /dev.
    ///   - user: whose it must be; names in a record are cut at 32 bytes (UT_NAMESIZE).
    ///   - lives: whether a process of that number is there: records of sessions that crashed stay.
    static func parse(_ bytes: [UInt8], terminal: [UInt8], user: [UInt8], lives: (Int32) -> Bool) -> SessionFacts? {
        guard !terminal.isEmpty, !user.isEmpty else { return nil }
        return bytes.withUnsafeBytes { bytes in
            var at = 0
            while at + size <= bytes.count {
                let record = UnsafeRawBufferPointer(rebasing: bytes[at..<(at + size)])
                at += size
                func field<Value>(_ path: KeyPath<utmp, Value>) -> UnsafeRawBufferPointer {
                    let start = MemoryLayout<utmp>.offset(of: path).unsafelyUnwrapped
                    return UnsafeRawBufferPointer(rebasing: record[start..<(start + MemoryLayout<Value>.size)])
                }
                func text<Value>(_ path: KeyPath<utmp, Value>) -> Slice<UnsafeRawBufferPointer> { field(path).prefix { $0 != 0 } }
                let kind = field(\.ut_type).loadUnaligned(as: Int16.self)
                guard Int32(kind) == USER_PROCESS, text(\.ut_line).elementsEqual(terminal),
                    text(\.ut_user).elementsEqual(user.prefix(MemoryLayout.size(ofValue: utmp().ut_user))),
                    lives(field(\.ut_pid).loadUnaligned(as: Int32.self))
                else { continue }
                return SessionFacts(remote: SessionFacts.printable(text(\.ut_host), atMost: SessionFacts.longestRemote), terminal: terminal)
            }
            return nil
        }
    }

    static func read(_ path: String, terminal: [UInt8], user: [UInt8]) -> SessionFacts? {
        guard !terminal.isEmpty, !user.isEmpty else { return nil }
        let descriptor = hv_open_regular(path)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard let (bytes, _) = readUpTo(4 << 20, descriptor) else { return nil }
        return parse(bytes, terminal: terminal, user: user) { pid in pid > 0 && (kill(pid, 0) == 0 || errno == EPERM) }
    }

    /// The name below /dev of a terminal by its device, major << 20 | minor: pts/N and ttyN (Documentation/admin-guide/devices.txt); else empty.
    static func terminal(_ device: UInt32) -> [UInt8] {
        let (major, minor) = (device >> 20, device & 0xfffff)
        return switch major {
        case 136: Array("pts/\(minor)".utf8)
        case 4 where minor < 64: Array("tty\(minor)".utf8)
        case 4: Array("ttyS\(minor - 64)".utf8)
        default: []
        }
    }
}
