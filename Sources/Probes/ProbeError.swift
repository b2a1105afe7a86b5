internal import Glibc

/// Why nothing can be captured. `description` is one line for people; `exitCode` is of sysexits(3).
package struct ProbeError: Error, CustomStringConvertible, Sendable {
    package let description: String
    package let exitCode: Int32

    static func noTypes(errno code: Int32) -> ProbeError {
        ProbeError(
            description:
                "this kernel shows no type information (/sys/kernel/btf/vmlinux: \(text(of: code))): hypervigil needs a kernel built with CONFIG_DEBUG_INFO_BTF, and /sys mounted",
            exitCode: 69)
    }

    static func notPermitted(missing: [String]) -> ProbeError {
        ProbeError(
            description: "not permitted: missing \(missing.joined(separator: ", ")); run hypervigil as root or with these capabilities",
            exitCode: 77)
    }

    static func map(_ what: String, errno code: Int32) -> ProbeError {
        let hint =
            switch code {
            case EPERM: "BPF is refused or the locked-memory limit is too low: raise it (ulimit -l unlimited), or look for a seccomp filter or kernel lockdown"
            case ENOMEM: "not enough memory: make the rings smaller (--ring-size, rings.bulk_size)"
            case EINVAL: "the kernel takes no map of this size or kind"
            default: "the kernel refuses it"
            }
        return ProbeError(description: "can't make the BPF map \(what): \(text(of: code)); \(hint)", exitCode: 69)
    }

    package static func nothing(_ why: String) -> ProbeError {
        ProbeError(description: why, exitCode: 69)
    }
}

/// The C library's words for an errno.
func text(of code: Int32) -> String {
    String(cString: strerror(code))
}
