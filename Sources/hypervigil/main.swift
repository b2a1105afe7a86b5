import Glibc

exit(Hypervigil.launch(Array(CommandLine.arguments.dropFirst())))
