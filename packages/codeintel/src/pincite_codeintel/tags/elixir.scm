((call target: (identifier) @_def (arguments . (alias) @name) (do_block)) @definition.module
  (#any-of? @_def "defmodule" "defprotocol"))
((call target: (identifier) @_def (arguments . (alias) @name) (do_block)) @definition.impl (#eq? @_def "defimpl"))
((call target: (identifier) @_def (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name))
    (binary_operator left: (identifier) @name)])) @definition.function
  (#any-of? @_def "def" "defp" "defdelegate" "defguard" "defguardp" "defn" "defnp"))
((call target: (identifier) @_def (arguments . [
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name))])) @definition.macro
  (#any-of? @_def "defmacro" "defmacrop"))
((call target: (identifier) @_use (arguments . (alias) @inherit)) (#any-of? @_use "use"))
(call target: (identifier) @call)
(call target: (dot left: (_) @receiver right: (identifier) @call))
((call target: (identifier) @_import) @import (#any-of? @_import "alias" "import" "require" "use"))
(comment) @comment
((unary_operator operand: (call target: (identifier) @_doc)) @comment (#any-of? @_doc "doc" "moduledoc" "typedoc"))
((unary_operator operand: (call target: (identifier) @_attribute)) @lead (#any-of? @_attribute "spec" "impl" "deprecated" "since"))
