# Reads the output of one validation program; prints "clean" or the first reason why it is not.
# -v status=N is the program's exit status; -v silent=1 marks one that succeeds without a word.
#
# The programs speak TAP 13, with three habits of their own: several documents in one output
# (each with its own plan), a failed hook test that shows only as a YAML "error" before the
# plan 1..0, and YAML "error" entries after `ok` lines, where the error was what was wanted.

function fault(text) { if (!why) why = text }

# runtimetest's own output comes indented or quoted inside YAML; only the outer lines count.
/^not ok/          { tests++; if ($0 !~ /# TODO/) fault($0) }
/^ok/              { tests++ }
/^1\.\.[0-9]+/     {
    plans++
    planned += substr($1, 4)
    if ($1 == "1..0" && yaml_error != "" && $0 !~ /[Ss][Kk][Ii][Pp]/) fault(yaml_error)
    yaml_error = ""
}
/^[[:space:]]*"?error"?:/ { yaml_error = $0; sub(/^[[:space:]]+/, "", yaml_error) }
/^panic:/          { fault($0) }
{ if ($0 !~ /^[[:space:]]*$/) last = $0 }

END {
    if (status == 124 || status == 137) fault("timed out")
    if (!why && status != 0) why = "exit status " status ": " last
    if (!plans && !silent) fault("no plan: " last)
    if (plans && tests != planned) fault(tests + 0 " tests ran of " planned " planned")
    print why ? substr(why, 1, 200) : "clean"
}
