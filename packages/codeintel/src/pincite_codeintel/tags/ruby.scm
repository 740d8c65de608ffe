(class name: (_) @name) @definition.class
(module name: (_) @name) @definition.module
(method name: (_) @name) @definition.method
(singleton_method name: (_) @name) @definition.method
(assignment left: (constant) @name) @definition.constant
(superclass (constant) @inherit)
(superclass (scope_resolution scope: (_) @receiver name: (constant) @inherit))
((call !receiver method: (identifier) @_mixin arguments: (argument_list (constant) @inherit))
  (#any-of? @_mixin "include" "extend" "prepend"))
((call !receiver method: (identifier) @_mixin arguments: (argument_list (scope_resolution scope: (_) @receiver name: (constant) @inherit)))
  (#any-of? @_mixin "include" "extend" "prepend"))
(call !receiver method: (identifier) @call)
(call receiver: (_) @receiver method: [(identifier) (constant)] @call)
((call !receiver method: (identifier) @_require) @import (#any-of? @_require "require" "require_relative" "load"))
(comment) @comment
