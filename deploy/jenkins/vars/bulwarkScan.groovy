/**
 * The gate as a shared-library step. In a Jenkinsfile:
 *
 *   @Library('bulwark') _
 *   pipeline {
 *     agent any
 *     stages {
 *       stage('Gate') { steps { bulwarkScan() } }
 *     }
 *   }
 *
 * The bulwark binary must be on PATH of the agent. A change request is measured
 * from its target branch, which the checkout must have fetched with its history
 * (no shallow clone); other builds look at everything.
 *
 * Parameters: base (a revision, replaces the target branch), arguments (a list
 * of further arguments of bulwark scan).
 */
def call(Map params = [:]) {
    String base = params.base ?: (env.CHANGE_TARGET ? "origin/${env.CHANGE_TARGET}" : '')
    List<String> arguments = ['--output', 'junit=bulwark.xml', '--output', 'html=bulwark.html'] + (params.arguments ?: [])
    if (base) {
        arguments += ['--base', base]
    }
    // Each argument is quoted for the shell: branch names come from strangers.
    String line = arguments.collect { "'" + it.toString().replace("'", "'\\''") + "'" }.join(' ')
    // Without advisories packages count as not judged, and the gate says so.
    if (sh(script: 'bulwark db update', returnStatus: true) != 0) {
        echo('The advisory database could not be updated.')
    }
    int code = sh(script: "bulwark scan ${line}", returnStatus: true)
    junit(testResults: 'bulwark.xml', allowEmptyResults: true)
    archiveArtifacts(artifacts: 'bulwark.html', allowEmptyArchive: true)
    switch (code) {
        case 0:
            return
        case 3:
            error('Bulwark blocks this change: the report says why.')
        default:
            error("Bulwark could not decide (exit code ${code}): see the log.")
    }
}
