# To be sourced: runs named stages one after the other, times each, and sums up at the end.
stage_names=()
stage_results=()

stage() { # name command...
    local name=$1 start=$SECONDS
    shift
    printf '\n=== %s\n' "$name"
    stage_names+=("$name")
    if "$@"; then
        stage_results+=("$((SECONDS - start)) s")
    else
        stage_results+=("FAILED after $((SECONDS - start)) s")
        summary
        exit 1
    fi
}

not_run() { # name missing tool
    printf '\n=== %s\nnot run: %s absent\n' "$1" "$2"
    stage_names+=("$1")
    stage_results+=("not run: $2 absent")
}

summary() {
    printf '\n=== stages, %s s in all\n' "$SECONDS"
    for index in "${!stage_names[@]}"; do
        printf '%-34s %s\n' "${stage_names[$index]}" "${stage_results[$index]}"
    done
}
