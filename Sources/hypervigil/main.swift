import Glibc

// Swift has the arguments from /proc/self/cmdline.
guard !CommandLine.arguments.isEmpty else {
    Output.complain(Failure(code: EX_UNAVAILABLE, line: "hypervigil: /proc is not mounted; mount it (mount -t proc proc /proc)"))
    exit(EX_UNAVAILABLE)
}
exit(Hypervigil.launch(Array(CommandLine.arguments.dropFirst())))
